/// One pass over the bytes of a file: what no YAML reader should get to see, and where each
/// document starts.
struct TextScan {
    /// A document's bytes, from its `---` line up to the next one.
    struct Part {
        let bytes: Range<Int>
        let firstLine: Int
        /// Whether a `---` line opens it.
        let isMarked: Bool
    }

    /// Larger files are refused unread.
    static let greatestSize = 4 << 20

    /// How many brackets may be open, because a YAML reader's time grows with them.
    ///
    /// Those in texts and comments count as well, but nobody leaves so many of them open.
    private static let greatestDepth = 256

    private(set) var parts: [Part] = []
    private(set) var findings = Findings()

    private let bytes: [UInt8]
    private let path: String
    private var line = 1
    private var column = 1
    private var isIndentation = true
    private var depth = 0
    private var start = (offset: 0, line: 1, isMarked: false)
    private var anchors: Set<ArraySlice<UInt8>> = []
    private var aliases: [(name: ArraySlice<UInt8>, place: SourcePlace)] = []

    init(_ bytes: [UInt8], path: String) {
        self.bytes = bytes
        self.path = path
        guard bytes.count <= Self.greatestSize else {
            refuseSize()
            return
        }
        for offset in bytes.indices { visit(offset) }
        close(at: bytes.count)
        refuseAliases()
    }

    private var place: SourcePlace { SourcePlace(file: path, line: line, column: column) }

    private mutating func visit(_ offset: Int) {
        let byte = bytes[offset]
        if column == 1 { visitLineStart(offset) }
        switch byte {
        case UInt8(ascii: "\n"):
            line += 1
            column = 0
            isIndentation = true
        case UInt8(ascii: " "): break
        case UInt8(ascii: "\t"): if isIndentation { refuseTab() }
        case UInt8(ascii: "\r"):
            if !next(offset, is: UInt8(ascii: "\n")) { refuse("a carriage return") }
        case 0..<0x20, 0x7f: refuse("the control character \(hex(UInt32(byte)))")
        case UInt8(ascii: "&"), UInt8(ascii: "*"): noteReference(at: offset)
        case UInt8(ascii: "["), UInt8(ascii: "{"): open()
        case UInt8(ascii: "]"), UInt8(ascii: "}"): depth = max(0, depth - 1)
        case 0x80..<0xc0: return
        case 0xc2, 0xe1, 0xe2, 0xe3, 0xef: visitSpecial(offset)
        default: break
        }
        if byte > UInt8(ascii: " ") { isIndentation = false }
        column += 1
    }

    private mutating func visitLineStart(_ offset: Int) {
        if bytes[offset] == UInt8(ascii: "%") {
            findings.report(
                "a YAML directive stands here, and policy files use none",
                fix: "delete the line", at: place)
        }
        guard bytes[offset...].starts(with: "---".utf8),
            offset + 3 == bytes.count || bytes[offset + 3] <= UInt8(ascii: " ")
        else { return }
        close(at: offset)
        start = (offset, line, true)
        depth = 0
    }

    private mutating func open() {
        depth += 1
        guard depth == Self.greatestDepth else { return }
        findings.report(
            "more than \(Self.greatestDepth - 1) brackets are open here", fix: "close them",
            at: place)
    }

    private mutating func close(at offset: Int) {
        guard offset > start.offset || start.isMarked else { return }
        parts.append(
            Part(
                bytes: start.offset..<offset, firstLine: start.line, isMarked: start.isMarked))
    }

    private func next(_ offset: Int, is byte: UInt8) -> Bool {
        offset + 1 < bytes.count && bytes[offset + 1] == byte
    }
}

// What is refused.
extension TextScan {
    private mutating func refuseSize() {
        findings.report(
            "the file has \(bytes.count) bytes, more than the \(Self.greatestSize) that are read",
            fix: "split it into several files", at: place)
    }

    private mutating func refuseTab() {
        findings.report(
            "a tab indents this line, and YAML is indented by spaces only",
            fix: "replace the tab by spaces", at: place)
    }

    private mutating func refuse(_ what: String) {
        findings.report(
            "\(what) can't stand in a policy file", fix: "delete it, and save the file as UTF-8",
            at: place)
    }

    /// Refuses characters that YAML doesn't allow, and line breaks that editors don't count.
    private mutating func visitSpecial(_ offset: Int) {
        let tail = bytes[offset...].prefix(3).dropFirst().map { UInt32($0 & 0x3f) }
        guard let second = tail.first else { return }
        if bytes[offset] == 0xc2 {
            if second < 0x20 { refuse("the control character \(hex(0x80 + second))") }
            if second == 0x20, isIndentation { refuseInvisible(0xa0) }
            return
        }
        guard tail.count == 2 else { return }
        let scalar = UInt32(bytes[offset] & 0x0f) << 12 | second << 6 | tail[1]
        switch scalar {
        case 0x2028, 0x2029: refuse("the line break \(hex(scalar))")
        case 0xfeff: refuse("a byte order mark")
        case 0xfffe, 0xffff: refuse("the character \(hex(scalar))")
        default:
            if isIndentation, Unicode.Scalar(scalar)?.isInvisible == true {
                refuseInvisible(scalar)
            }
        }
    }

    /// In texts and comments they may stand; an indentation that holds one is none to YAML.
    private mutating func refuseInvisible(_ scalar: UInt32) {
        findings.report(
            "the invisible character \(hex(scalar)) stands in the indentation",
            fix: "replace it by plain spaces", at: place)
    }

    private func hex(_ scalar: UInt32) -> String { Unicode.Scalar(scalar)?.number ?? "U+FFFD" }
}

// Anchors and aliases.
extension TextScan {
    /// Remembers what could be an anchor or an alias; in a text or a comment it needn't be one.
    private mutating func noteReference(at offset: Int) {
        let name = bytes[(offset + 1)...].prefix {
            $0.isLetter || $0.isDigit || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-")
        }
        guard !name.isEmpty, offset == 0 || " \t\n[]{},:".utf8.contains(bytes[offset - 1]) else {
            return
        }
        if bytes[offset] == UInt8(ascii: "&") {
            anchors.insert(name)
        } else {
            aliases.append((name, place))
        }
    }

    // A reader that repeats what an alias stands for is kept busy for ever by a few lines of aliases to
    // aliases. None goes further than here.
    private mutating func refuseAliases() {
        for alias in aliases where anchors.contains(alias.name) {
            let name = String(decoding: alias.name, as: UTF8.self)
            findings.report(
                "'*\(name)' repeats what '&\(name)' marks, and policy files use no aliases",
                fix: "write the value out", at: alias.place)
        }
    }
}
