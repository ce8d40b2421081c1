import Yams

/// The documents of a text, with every position counted in the whole file.
///
/// Each document is composed on its own, so that one that isn't YAML doesn't hide the mistakes of
/// the others.
struct YAMLReading {
    /// How often one document is composed again to see past keys that stand twice, and how many
    /// bytes may be read again for that.
    private static let greatestRepairs = (count: 16, bytes: 1 << 20)

    private(set) var documents: [SourceNode] = []
    private(set) var findings: Findings
    private let path: String

    init(_ text: String, path: String) {
        self.path = path
        let bytes = Array(text.utf8)
        let scan = TextScan(bytes, path: path)
        findings = scan.findings
        guard findings.isEmpty else { return }
        for part in scan.parts where !findings.isFull {
            let whole = part.bytes.count == bytes.count
            read(part, whole ? text : String(decoding: bytes[part.bytes], as: UTF8.self))
        }
        refuseEmptyFile()
    }

    private mutating func read(_ part: TextScan.Part, _ text: String) {
        let affordable = Self.greatestRepairs.bytes / max(1, part.bytes.count)
        var repairs = KeyRepairs(text, greatestCount: min(Self.greatestRepairs.count, affordable))
        while true {
            do {
                let isEmpty = try !compose(part, repairs)
                if isEmpty, part.isMarked { refuseEmptyDocument(part) }
                return
            } catch YamlError.duplicatedKeysInMapping(let keys, let context) {
                guard repairs.rename(keys.first ?? "", at: context.mark) else {
                    return refuseDuplicate(keys.first ?? "", at: place(context.mark, in: part))
                }
            } catch {
                return report(error, in: part)
            }
        }
    }

    /// Whether there was anything to compose.
    private mutating func compose(_ part: TextScan.Part, _ repairs: KeyRepairs) throws -> Bool {
        // `Resolver.basic` has no rules: what a plain scalar is taken for is `PlainScalar`'s to say.
        let parser = try Parser(yaml: repairs.text, resolver: .basic, encoding: .utf8)
        var roots: [Node] = []
        while let root = try parser.nextRoot() { roots.append(root) }
        var conversion = NodeConversion(path: path, part: part, repairs: repairs)
        let converted = roots.compactMap { conversion.node($0) }
        conversion.findings.diagnostics.forEach { finding in
            findings.report(finding.message, fix: finding.fix, at: finding.place)
        }
        let documents = converted.filter { !$0.isNull }
        if !conversion.isTooDeep { self.documents += documents }
        // An anchor lives only as long as the parser.
        return withExtendedLifetime(parser) {
            !documents.isEmpty || !conversion.findings.isEmpty
        }
    }

    private func place(_ mark: Mark, in part: TextScan.Part) -> SourcePlace {
        SourcePlace(file: path, line: mark.line + part.firstLine - 1, column: mark.column)
    }
}

// What is refused.
extension YAMLReading {
    private mutating func refuseEmptyDocument(_ part: TextScan.Part) {
        findings.report(
            "the document that '---' opens here is empty",
            fix: "delete the '---', or write a Tenant or a Policy after it",
            at: SourcePlace(file: path, line: part.firstLine, column: 1))
    }

    private mutating func refuseEmptyFile() {
        guard documents.isEmpty, findings.isEmpty else { return }
        findings.report(
            "the file holds no document", fix: "delete the file, or write a Tenant or a Policy",
            at: SourcePlace(file: path, line: 1, column: 1))
    }

    private mutating func refuseDuplicate(_ key: String, at place: SourcePlace) {
        findings.report(
            "the key \(key.quoted) that stands here stands once more in the same mapping",
            fix: "keep one of them", at: place)
    }

    private mutating func report(_ error: any Error, in part: TextScan.Part) {
        let trouble = SyntaxTrouble(error)
        findings.report(
            trouble.message, fix: trouble.fix,
            at: trouble.mark.map { place($0, in: part) }
                ?? SourcePlace(file: path, line: part.firstLine, column: 1))
    }
}
