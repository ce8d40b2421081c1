/// A part of a YAML document, and where it stands.
struct SourceNode {
    enum Content {
        /// `isPlain`: written without quotes, so that YAML may take it for a number and so on.
        case scalar(String, isPlain: Bool)
        case list([SourceNode])
        case mapping([Entry])
    }

    struct Entry {
        let key: String
        let keyPlace: SourcePlace
        let value: SourceNode
    }

    let content: Content
    let place: SourcePlace

    /// The text of a scalar that YAML takes for text.
    var text: String? {
        guard case .scalar(let text, let isPlain) = content else { return nil }
        guard isPlain else { return text }
        return if case .text = PlainScalar(text) { text } else { nil }
    }

    /// Whether nothing was written where a value belongs.
    var isNull: Bool {
        guard case .scalar(let text, isPlain: true) = content else { return false }
        return if case .null = PlainScalar(text) { true } else { false }
    }

    /// What stands there, for messages.
    var found: String {
        switch content {
        case .list(let items): items.isEmpty ? "an empty list" : "a list"
        case .mapping(let entries): entries.isEmpty ? "an empty mapping" : "a mapping"
        case .scalar(let text, isPlain: false): "the text \(text.quoted)"
        case .scalar(let text, isPlain: true):
            switch PlainScalar(text) {
            case .text: "the text \(text.quoted)"
            case .null: "nothing"
            case .boolean: "\(text.quoted), which YAML takes for true or false"
            case .number: "the number \(text)"
            case .date: "\(text.quoted), which YAML takes for a date"
            }
        }
    }
}

extension SourceNode {
    /// The word that was written, in small letters.
    private var word: String? {
        if case .scalar(let text, _) = content { text.lowercased() } else { nil }
    }

    /// Whether what was written means no.
    var isDenial: Bool {
        [
            "no", "off", "false", "n", "0", "none", "never", "deny", "denied", "drop", "block",
            "closed",
        ]
        .contains(word)
    }

    /// Whether what was written means yes.
    var isTrue: Bool { ["yes", "on", "true"].contains(word) }
}
