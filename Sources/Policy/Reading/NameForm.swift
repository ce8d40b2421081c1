/// How names of one kind are spelled.
public enum NameForm: CaseIterable, Sendable {
    /// A tenant or a policy.
    case name
    case port
    case labelKey
    case labelValue
    /// What an assertion is evidence for: a catalog and one of its controls.
    case control

    /// What the reader accepts, as a regular expression of JSON Schema.
    public var pattern: String {
        switch self {
        case .name: "^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$"
        case .port: "^(?=[-0-9]*[a-z])[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?$"
        case .labelKey: "^[A-Za-z0-9]([-A-Za-z0-9_./]{0,251}[A-Za-z0-9])?$"
        case .control:
            "^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?/[A-Za-z0-9][-A-Za-z0-9.()]{0,62}$"
        case .labelValue: "^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$"
        }
    }

    /// The same in words.
    public var rule: String {
        switch self {
        case .name:
            "1 to 63 of a-z, 0-9, '-' and '.', with a letter or a digit at both ends"
        case .port:
            "1 to 15 of a-z, 0-9 and '-', at least one letter, with a letter or a digit at both ends"
        case .labelKey:
            "1 to 253 of A-Z, a-z, 0-9, '-', '_', '.' and '/', with a letter or a digit at both ends"
        case .control:
            "CATALOG/CONTROL, such as nist-800-53/AC-4"
        case .labelValue:
            "up to 63 of A-Z, a-z, 0-9, '-', '_' and '.', with a letter or a digit at both ends"
        }
    }

    /// Whether a text is such a name.
    public func admits(_ text: String) -> Bool {
        if self == .control { return Self.isControl(text) }
        let bytes = text.utf8
        guard let first = bytes.first, let last = bytes.last else { return self == .labelValue }
        return bytes.count <= greatestLength && isEnd(first) && isEnd(last)
            && bytes.allSatisfy { isEnd($0) || marks.contains($0) }
            && (self != .port || bytes.contains(where: \.isLowercase))
    }

    /// The same name spelled as the rule wants it, if that is plain.
    func mended(_ text: String) -> String? {
        let spelled = isLowercase ? text.lowercased() : text
        let mended = String(spelled.map { $0 == "_" || $0 == " " ? "-" : $0 })
        return admits(mended) ? mended : nil
    }

    private static func isControl(_ text: String) -> Bool {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, NameForm.name.admits(String(parts[0])) else { return false }
        let control = NameForm.control
        let bytes = parts[1].utf8
        return (1...control.greatestLength).contains(bytes.count)
            && bytes.first.map(control.isEnd) ?? false
            && bytes.allSatisfy { control.isEnd($0) || control.marks.contains($0) }
    }

    private var isLowercase: Bool { self == .name || self == .port }

    private var greatestLength: Int {
        switch self {
        case .name, .labelValue, .control: 63
        case .port: 15
        case .labelKey: 253
        }
    }

    private var marks: String.UTF8View {
        switch self {
        case .name: "-.".utf8
        case .port: "-".utf8
        case .labelKey: "-_./".utf8
        case .labelValue: "-_.".utf8
        case .control: "-.()".utf8
        }
    }

    private func isEnd(_ byte: UInt8) -> Bool {
        byte.isDigit || (isLowercase ? byte.isLowercase : byte.isLetter)
    }
}
