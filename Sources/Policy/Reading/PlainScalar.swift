/// What YAML takes a scalar for when it stands there without quotes.
///
/// YAML 1.1 and 1.2 differ (`on`, `010`, `1:30`). What either of them takes for something else than
/// text is not text here, so that a file means the same to every program that reads it.
enum PlainScalar {
    case text
    case null
    case boolean
    case number
    case date

    init(_ text: String) {
        let bytes = text.utf8
        guard let first = bytes.first else {
            self = .null
            return
        }
        switch first {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "+"),
            UInt8(ascii: "-"):
            self = Self.isNumber(bytes) ? .number : Self.isDate(bytes) ? .date : .text
        default:
            self = bytes.count <= 5 ? Self.words[text] ?? .text : .text
        }
    }

    private static let words: [String: PlainScalar] = {
        var words: [String: PlainScalar] = ["~": .null]
        for word in ["null", "true", "false", "yes", "no", "on", "off"] {
            let capitalized = word.prefix(1).uppercased() + word.dropFirst()
            for spelling in [word, word.uppercased(), capitalized] {
                words[spelling] = word == "null" ? .null : .boolean
            }
        }
        return words
    }()
}

// Numbers and dates.
extension PlainScalar {
    private static func isNumber(_ text: String.UTF8View) -> Bool {
        var rest = text[...]
        rest.drop { $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "-") }
        if let digits = rest.afterRadixMark {
            return !digits.isEmpty && digits.allSatisfy(\.isHexOrGap)
        }
        if rest.first == UInt8(ascii: "."),
            [".inf", ".nan"].contains(String(Substring(rest)).lowercased())
        {
            return true
        }
        return isDecimal(rest)
    }

    /// Digits, groups of 60 (`1:30`), a fraction, an exponent.
    private static func isDecimal(_ text: Substring.UTF8View) -> Bool {
        var rest = text
        let whole = rest.dropAll { $0.isDigit || $0 == UInt8(ascii: "_") }
        while whole > 0, rest.first == UInt8(ascii: ":") {
            rest.removeFirst()
            guard (1...2).contains(rest.dropAll(where: \.isDigit)) else { return false }
        }
        var fraction = 0
        if rest.drop(where: { $0 == UInt8(ascii: ".") }) {
            fraction = rest.dropAll { $0.isDigit || $0 == UInt8(ascii: "_") }
        }
        guard whole + fraction > 0 else { return false }
        if rest.drop(where: { $0 | 0x20 == UInt8(ascii: "e") }) {
            rest.drop { $0 == UInt8(ascii: "+") || $0 == UInt8(ascii: "-") }
            guard rest.dropAll(where: \.isDigit) > 0 else { return false }
        }
        return rest.isEmpty
    }

    /// Whether the text starts like 2001-12-14 and ends there or goes on with a time.
    private static func isDate(_ text: String.UTF8View) -> Bool {
        var rest = text[...]
        guard rest.dropAll(where: \.isDigit) == 4, rest.drop(where: { $0 == UInt8(ascii: "-") }),
            (1...2).contains(rest.dropAll(where: \.isDigit)),
            rest.drop(where: { $0 == UInt8(ascii: "-") }),
            (1...2).contains(rest.dropAll(where: \.isDigit))
        else { return false }
        return rest.first.map { $0 | 0x20 == UInt8(ascii: "t") || $0 == UInt8(ascii: " ") } ?? true
    }
}

extension Substring.UTF8View {
    /// Drops the first byte if it is one of those; answers whether it was.
    @discardableResult
    fileprivate mutating func drop(where isOne: (UInt8) -> Bool) -> Bool {
        guard let first, isOne(first) else { return false }
        removeFirst()
        return true
    }

    /// Drops all leading bytes of that kind; answers how many.
    fileprivate mutating func dropAll(where isOne: (UInt8) -> Bool) -> Int {
        let kept = drop(while: isOne)
        defer { self = kept }
        return count - kept.count
    }

    /// What follows `0x`, `0o` or `0b`.
    fileprivate var afterRadixMark: Substring.UTF8View? {
        guard first == UInt8(ascii: "0"), let mark = dropFirst().first,
            [UInt8(ascii: "x"), UInt8(ascii: "o"), UInt8(ascii: "b")].contains(mark)
        else { return nil }
        return dropFirst(2)
    }
}

extension UInt8 {
    var isDigit: Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(self) }

    var isLowercase: Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(self) }

    var isLetter: Bool { (self | 0x20).isLowercase }

    fileprivate var isHexOrGap: Bool {
        isDigit || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(self | 0x20)
            || self == UInt8(ascii: "_")
    }
}
