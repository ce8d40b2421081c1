/// Reads the documents of one file, collecting mistakes and references on the way.
///
/// Every method that reads a part reports what is wrong with it and then answers nil, so that its
/// caller goes on with the next part.
struct DocumentReader {
    static let apiVersion = "ringfence/v1"

    var findings: Findings
    var references: [PolicyFile.Reference] = []

    init(findings: Findings) { self.findings = findings }

    mutating func document(_ node: SourceNode) -> PolicyDocument? {
        guard case .mapping(let entries) = node.content else {
            return report(
                "a document is a mapping, and here stands \(node.found)",
                fix: "start with 'apiVersion: \(Self.apiVersion)' and 'kind: Tenant',"
                    + " 'kind: Policy' or 'kind: Assertion'",
                at: node.place)
        }
        let head = Fields(entries, place: node.place)
        if let foreign = ForeignDocument(head) {
            return report(foreign.message, fix: foreign.fix, at: node.place)
        }
        checkVersion(head)
        guard
            let kind = require(
                "kind", in: head, of: "a document", example: "kind: Policy",
                or: "'kind: Tenant' or 'kind: Assertion'")
        else { return nil }
        switch word(kind, "kind", among: ["Tenant", "Policy", "Assertion"]) {
        case "Tenant": return tenant(node)
        case "Policy": return policy(node)
        case "Assertion": return assertion(node)
        default: return nil
        }
    }

    private mutating func checkVersion(_ head: Fields) {
        let example = "apiVersion: \(Self.apiVersion)"
        guard let node = require("apiVersion", in: head, of: "a document", example: example),
            node.text != Self.apiVersion
        else { return }
        report(
            "apiVersion is \(node.found), and this program reads \(Self.apiVersion)",
            fix: "write '\(example)'", at: node.place)
    }

    /// Notes a mistake; the result lets a reading method end with it.
    @discardableResult
    mutating func report<Value>(
        _ message: String, fix: String, at place: SourcePlace
    ) -> Value? {
        findings.report(message, fix: fix, at: place)
        return nil
    }

    mutating func report(_ message: String, fix: String, at place: SourcePlace) {
        findings.report(message, fix: fix, at: place)
    }
}
