extension IPAddress: LosslessStringConvertible, Codable {
    /// Reads dotted-quad IPv4 or RFC 4291 IPv6 text; nil for anything else.
    ///
    /// Leading zeros in a quad and zone suffixes are refused: both have meant different
    /// addresses to different programs.
    public init?(_ text: some StringProtocol) {
        if text.utf8.contains(UInt8(ascii: ":")) {
            guard let number = Self.parseV6(text) else { return nil }
            self = .v6(number)
        } else {
            guard let number = Self.parseV4(text) else { return nil }
            self = .v4(number)
        }
    }

    /// Reads the same text as the generic initialiser.
    public init?(_ description: String) {
        self.init(description[...])
    }

    /// Dotted quad, or the canonical IPv6 form of RFC 5952.
    public var description: String {
        switch self {
        case .v4(let number): Self.formatV4(number)
        case .v6(let number):
            Self.formatV6(number)
        }
    }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let address = IPAddress(text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "'\(text)' is not an IP address")
        }
        self = address
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    private static func parseV4(_ text: some StringProtocol) -> UInt32? {
        var (number, part): (UInt32, UInt32) = (0, 0)
        var (digits, parts) = (0, 0)
        for byte in text.utf8 {
            if byte == UInt8(ascii: ".") {
                guard digits > 0, parts < 3 else { return nil }
                number = number << 8 | part
                (part, digits, parts) = (0, 0, parts + 1)
            } else {
                // A zero before another digit has meant an octal number.
                guard byte.isASCIIDigit, digits == 0 || part > 0 else { return nil }
                part = part * 10 + UInt32(byte - UInt8(ascii: "0"))
                digits += 1
                guard part <= 255 else { return nil }
            }
        }
        return digits > 0 && parts == 3 ? number << 8 | part : nil
    }

    private static func formatV4(_ number: UInt32) -> String {
        var text: [UInt8] = []
        text.reserveCapacity(15)
        for byte in number.networkBytes {
            if !text.isEmpty { text.append(UInt8(ascii: ".")) }
            if byte > 99 { text.append(UInt8(ascii: "0") + byte / 100) }
            if byte > 9 { text.append(UInt8(ascii: "0") + byte / 10 % 10) }
            text.append(UInt8(ascii: "0") + byte % 10)
        }
        return String(decoding: text, as: UTF8.self)
    }

    private static func parseV6(_ text: some StringProtocol) -> UInt128? {
        guard let gap = doubleColon(in: text) else {
            let groups = Self.groups(text, allowsQuad: true)
            return groups?.count == 8 ? groups.map(Self.join) : nil
        }
        let before = text[..<gap.lowerBound]
        let after = text[gap.upperBound...]
        guard let head = before.isEmpty ? [] : groups(before, allowsQuad: false),
            let tail = after.isEmpty ? [] : groups(after, allowsQuad: true),
            head.count + tail.count <= 7
        else { return nil }
        let zeros = [UInt16](repeating: 0, count: 8 - head.count - tail.count)
        return join(head + zeros + tail)
    }

    private static func doubleColon<Text: StringProtocol>(in text: Text) -> Range<Text.Index>? {
        var index = text.startIndex
        while index < text.endIndex {
            let next = text.index(after: index)
            if next < text.endIndex, text[index] == ":", text[next] == ":" {
                return index..<text.index(after: next)
            }
            index = next
        }
        return nil
    }

    private static func groups(_ text: some StringProtocol, allowsQuad: Bool) -> [UInt16]? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        var result: [UInt16] = []
        for (index, part) in parts.enumerated() {
            if allowsQuad, index == parts.count - 1, part.contains(".") {
                guard let quad = parseV4(part) else { return nil }
                result += [UInt16(quad >> 16), UInt16(quad & 0xffff)]
            } else {
                guard (1...4).contains(part.utf8.count), part.utf8.allSatisfy(\.isHexDigit),
                    let group = UInt16(part, radix: 16)
                else { return nil }
                result.append(group)
            }
        }
        return result.count <= 8 ? result : nil
    }

    private static func join(_ groups: [UInt16]) -> UInt128 {
        groups.reduce(0) { $0 << 16 | UInt128($1) }
    }

    private static func formatV6(_ number: UInt128) -> String {
        if number >> 32 == 0xffff {
            return "::ffff:" + IPAddress.v4(UInt32(truncatingIfNeeded: number)).description
        }
        let groups = (0..<8).map { UInt16(truncatingIfNeeded: number >> ((7 - $0) * 16)) }
        let text = groups.map { String($0, radix: 16) }
        guard let run = longestZeroRun(groups) else { return text.joined(separator: ":") }
        return text[..<run.lowerBound].joined(separator: ":") + "::"
            + text[run.upperBound...].joined(separator: ":")
    }

    /// The first longest run of two or more zero groups, which RFC 5952 shortens.
    private static func longestZeroRun(_ groups: [UInt16]) -> Range<Int>? {
        var best: Range<Int>?
        var start = 0
        for index in 0...groups.count where index == groups.count || groups[index] != 0 {
            if index - start >= 2, index - start > (best?.count ?? 0) { best = start..<index }
            start = index + 1
        }
        return best
    }
}

extension UInt8 {
    var isASCIIDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }

    var isHexDigit: Bool {
        isASCIIDigit || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(self | 0x20)
    }
}
