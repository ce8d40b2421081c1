import NetTypes
import Policy
import Testing

/// What is right and opens nothing.
@Suite struct WarningTests {
    private func warnings(_ texts: String...) throws -> [String] {
        let files = try texts.enumerated().map { try PolicyFile(parsing: $1, path: "\($0).yaml") }
        return try PolicySet(checking: files).warnings().map { "\($0.place): \($0.message)" }
    }

    private let shop = Texts.tenant(
        "shop", "labels: {env: prod}\nendpoints: [{namespace: a, labels: {app: web}}, {pid: 7}]")

    @Test func `a file without a document`() throws {
        #expect(
            try warnings(shop, "# nothing\n") == [
                "1.yaml:1:1: the file holds no document and opens nothing"
            ])
    }

    @Test(
        arguments: [
            ("{tenants: {matchLabels: {env: prdo}}}", "no tenant has the labels env=prdo"),
            ("{tenant: shop, endpoints: {matchLabels: {app: webb}}}", "gives the labels app=webb"),
            (
                "{tenants: all, endpoints: {matchExpressions: [{key: x, operator: Exists}]}}",
                "gives the labels x"
            ),
        ])
    func `a selector that means none`(_ peer: String, _ message: String) throws {
        let found = try warnings(shop, Texts.policy("p", from: peer, to: "{tenant: shop}"))
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("1.yaml:3:7: policy 'p': ") == true, "\(found)")
        #expect(found.first?.contains(message) == true, "\(found)")
    }

    @Test(
        arguments: [
            "{tenants: {matchLabels: {env: prod}}}", "{tenants: all}", "world", "host",
            "{tenant: shop, endpoints: {matchLabels: {app: web}}}",
            "{tenant: shop, endpoints: {matchExpressions: [{key: app, operator: DoesNotExist}]}}",
        ])
    func `none about a selector that may mean one`(_ peer: String) throws {
        #expect(try warnings(shop, Texts.policy("p", from: peer, to: "{tenant: shop}")).isEmpty)
    }

    @Test func `a policy that has expired`() throws {
        let text = Texts.policy("p", from: "{tenant: shop}", to: "world")
            .replacing("kind: Policy\n", with: "kind: Policy\nexpires: \"2027-01-31\"\n")
        let file = try PolicyFile(parsing: Texts.documents(shop, text), path: "a.yaml")
        let moment = try #require(Timestamp("2027-02-01"))
        let set = try PolicySet(checking: [file.at(moment)])
        #expect(set.warnings().count == 1)
        #expect(set.warnings(includesExpired: false).isEmpty)
        #expect(try PolicySet(checking: [file]).warnings().isEmpty)
    }

    @Test func `names the claims that mean a mount`() throws {
        let db = Texts.tenant("db", "endpoints: [{namespace: a*}, {path: /run/ns/b}]")
        let file = try PolicyFile(parsing: Texts.documents(shop, db), path: "a.yaml")
        let set = try PolicySet(checking: [file])
        let found = ["/run/netns/a", "/run/netns/ab", "/run/ns/b", "/run/netns/b"].map {
            set.claims(ofMounts: [$0]).map(\.target)
        }
        #expect(found == [[.name("a"), .name("a*")], [.name("a*")], [.path("/run/ns/b")], []])
    }
}
