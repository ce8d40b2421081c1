/// The entries of a mapping by key.
struct Fields {
    let entries: [SourceNode.Entry]
    let place: SourcePlace
    /// The keys that the mapping may have; empty where they were not checked.
    let keys: [String]

    init(_ entries: [SourceNode.Entry], place: SourcePlace, keys: [String] = []) {
        self.entries = entries
        self.place = place
        self.keys = keys
    }

    subscript(_ key: String) -> SourceNode? { entries.first { $0.key == key }?.value }

    func keyPlace(_ key: String) -> SourcePlace? { entries.first { $0.key == key }?.keyPlace }

    /// Whether an unknown key stands where the key should be, which is reported already.
    func hasSubstitute(for key: String) -> Bool {
        !keys.isEmpty
            && entries.contains { entry in
                !keys.contains(entry.key)
                    && KeyAdvice(for: entry.key, among: keys).replaces(key)
            }
    }
}

extension DocumentReader {
    /// The entries of a mapping that may have these keys and no others.
    mutating func fields(
        _ node: SourceNode, of what: String, keys: [String], example: String
    ) -> Fields? {
        guard case .mapping(let entries) = node.content else {
            return report(
                "\(what) is a mapping, and here stands \(node.found)",
                fix: "write it as '\(example)'", at: node.place)
        }
        for entry in entries where !keys.contains(entry.key) {
            let advice = KeyAdvice(for: entry.key, among: keys)
            report(
                "\(what) has no key \(entry.key.quoted)\(advice.reason); its keys are "
                    + keys.joined(separator: ", "),
                fix: advice.fix, at: entry.keyPlace)
        }
        return Fields(entries, place: node.place, keys: keys)
    }

    /// The value of a key that has to be there.
    ///
    /// - Parameters:
    ///   - key: The key.
    ///   - fields: The mapping's entries.
    ///   - what: What the mapping is, for the message.
    ///   - example: What to add. It must not be valid as it stands where it would open something.
    ///   - alternative: What else can be done, for the message.
    /// - Returns: Nil where it is missing, which is reported once.
    mutating func require(
        _ key: String, in fields: Fields, of what: String, example: String,
        or alternative: String? = nil
    ) -> SourceNode? {
        if let node = fields[key] { return node }
        guard !fields.hasSubstitute(for: key) else { return nil }
        return report(
            "\(what) needs '\(key)'",
            fix: "add '\(example)'" + (alternative.map { ", or \($0)" } ?? ""), at: fields.place)
    }

    /// The items of a list that has at least one, unless `mayBeEmpty`.
    mutating func items(
        _ node: SourceNode, of what: String, example: String, ifEmpty fix: String? = nil
    ) -> [SourceNode]? {
        guard case .list(let items) = node.content else {
            return report(
                "\(what) is a list, and here stands \(node.found)",
                fix: "write it as '\(example)'", at: node.place)
        }
        guard let fix, items.isEmpty else { return items }
        return report("\(what) is an empty list", fix: fix, at: node.place)
    }
}

// Scalars.
extension DocumentReader {
    /// Text as written; what YAML takes for a number and so on is refused.
    mutating func text(_ node: SourceNode, _ what: String) -> String? {
        if let text = node.text { return text }
        guard case .scalar(let written, _) = node.content, !node.isNull else {
            return report(
                "\(what) is text, and here stands \(node.found)",
                fix: "write the text after '\(what):'", at: node.place)
        }
        return report(
            "\(what) is text, and here stands \(node.found)",
            fix: "put it in quotes: \"\(written)\"", at: node.place)
    }

    mutating func name(_ node: SourceNode, _ what: String, _ form: NameForm = .name) -> String? {
        guard let text = text(node, what) else { return nil }
        return checkName(text, what, form, at: node.place) ? text : nil
    }

    mutating func checkName(
        _ text: String, _ what: String, _ form: NameForm, at place: SourcePlace
    ) -> Bool {
        if form.admits(text) { return true }
        report(
            "\(what) is \(text.quoted), and must be \(form.rule)",
            fix: form.mended(text).map { "write '\($0)'" } ?? "choose such a name", at: place)
        return false
    }

    /// One of a few words.
    mutating func word(_ node: SourceNode, _ what: String, among words: [String]) -> String? {
        if let text = node.text, words.contains(text) { return text }
        let nearest = node.text.flatMap { words.nearest(to: $0) }
        return report(
            "\(what) is \(node.found), and must be \(words.alternatives)",
            fix: "write "
                + (nearest.map { ["'\(what): \($0)'"] } ?? words.map { "'\(what): \($0)'" })
                .alternatives,
            at: node.place)
    }

    /// A whole number in plain decimal digits.
    mutating func number(
        _ node: SourceNode, _ what: String, in range: ClosedRange<Int>
    ) -> Int? {
        if let number = node.number {
            if range.contains(number) { return number }
            return report(
                "\(what) is \(number), and must be \(range.lowerBound) to \(range.upperBound)",
                fix: "write a number in that range", at: node.place)
        }
        let unquoted = node.unquotedNumber.map { "write \($0) without quotes" }
        return report(
            "\(what) is a number, and here stands \(node.found)",
            fix: unquoted ?? "write \(range.lowerBound) to \(range.upperBound) in decimal digits",
            at: node.place)
    }
}

extension SourceNode {
    /// The number that stands there, if it does so in plain decimal digits.
    var number: Int? {
        guard case .scalar(let text, isPlain: true) = content else { return nil }
        return Int(plainDecimal: text)
    }

    /// The number in a text.
    fileprivate var unquotedNumber: Int? {
        guard case .scalar(let text, isPlain: false) = content else { return nil }
        return Int(plainDecimal: text)
    }
}

extension Int {
    /// Reads digits without a leading zero; YAML 1.1 takes such a zero for an octal number.
    init?(plainDecimal text: some StringProtocol) {
        guard (1...9).contains(text.utf8.count), text.utf8.allSatisfy(\.isDigit),
            text.utf8.count == 1 || text.utf8.first != UInt8(ascii: "0")
        else { return nil }
        self.init(text)
    }
}
