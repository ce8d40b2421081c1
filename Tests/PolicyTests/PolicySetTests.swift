import Policy
import Testing

@Suite struct PolicySetTests {
    @Test func `a name stands once among all files`() throws {
        let files = try ["b", "a", "c"].map {
            try PolicyFile(
                parsing: Texts.documents(
                    Texts.tenant("shop"), Texts.policy("p", from: "{tenant: shop}", to: "world")),
                path: $0)
        }
        let found = try errors { try PolicySet(checking: files) }
        #expect(found.map { "\($0.place)" } == ["b:3:7", "b:8:7", "c:3:7", "c:8:7"])
        #expect(found[0].message == "a tenant called 'shop' stands already at a:3:7")
        #expect(found[3].message == "a policy called 'p' stands already at a:8:7")
    }

    @Test func `a tenant and a policy may share a name`() throws {
        let policy = Texts.policy("shop", from: "{tenant: shop}", to: "world")
        #expect(try PolicySet(policy, Texts.tenant("shop")).tenants.count == 1)
    }

    @Test func `port names must be known to every tenant that is selected`() throws {
        let policy = Texts.policy(
            "p", from: "world", to: "{tenants: {matchLabels: {env: prod}}}",
            allow: "{protocol: tcp, ports: [http]}")
        let labels = "labels: {env: prod}"
        _ = try PolicySet(
            policy, Texts.tenant("a", labels + "\nports: {http: 1}"), Texts.tenant("b"))
        let found = try errors {
            try PolicySet(policy, Texts.tenant("a", labels), Texts.tenant("b", labels))
        }
        #expect(
            found.map(\.message) == [
                "tenant 'a' declares no tcp port 'http' (and 1 more don't either)"
            ])
    }

    @Test func `removing what isn't there changes nothing`() throws {
        let set = try PolicySet(Texts.tenant("a"))
        #expect(try set.replacing(["x": nil]) == set)
        #expect(try set.replacing(["0.yaml": nil]) == .empty)
    }
}

@Suite struct ReplacingTests {
    /// A set of files, edited at random; most edits are right, many are not.
    private struct Edits {
        var random: SplitMix

        private static let paths = (0..<8).map { "\($0).yaml" }
        private static let names = (0..<24).map { "p\($0)" }
        private static let tenants = ["s", "t", "u"]

        mutating func changes() throws -> [String: PolicyFile?] {
            var changes: [String: PolicyFile?] = [:]
            for _ in 0...Int.random(in: 0...2, using: &random) {
                let path = pick(Self.paths)
                changes[path] = .some(try file(path))
            }
            return changes
        }

        private mutating func file(_ path: String) throws -> PolicyFile? {
            let kind = Int.random(in: 0..<10, using: &random)
            if kind == 0 { return nil }
            let count = Int.random(in: 1...2, using: &random)
            let texts = (0..<count).map { _ in
                kind < 3 && path < "3" ? tenant() : policy()
            }
            return try PolicyFile(parsing: texts.joined(separator: "---\n"), path: path)
        }

        private mutating func tenant() -> String {
            Texts.tenant(pick(Self.tenants), pick(["ports: {http: 80}", "labels: {x: y}"]))
        }

        private mutating func policy() -> String {
            Texts.policy(
                pick(Self.names), from: "{tenant: \(pick(Self.tenants))}",
                to: pick(["{tenants: all}", "{tenants: {matchLabels: {x: y}}}"]),
                allow: pick([
                    "{protocol: tcp, ports: [http]}", "{protocol: any}", "{protocol: udp}",
                    "{protocol: icmp}",
                ]))
        }

        private mutating func pick(_ words: [String]) -> String {
            words.randomElement(using: &random) ?? ""
        }
    }

    @Test(arguments: [1, 2, 3, UInt64.random(in: 0...UInt64.max)])
    func `gives what checking from scratch gives`(_ seed: UInt64) throws {
        var edits = Edits(random: SplitMix(state: seed))
        var set = PolicySet.empty
        var (accepted, refused) = (0, 0)
        for step in 0..<500 {
            let changes = try edits.changes()
            var files = set.files
            for (path, file) in changes { files[path] = file }
            let scratch = Result { try PolicySet(checking: files.values) }
            let replaced = Result { try set.replacing(changes) }
            switch (scratch, replaced) {
            case (.success(let left), .success(let right)):
                try #require(left == right, "seed \(seed), step \(step)")
                set = right
                accepted += 1
            case (.failure(let left as PolicyErrors), .failure(let right as PolicyErrors)):
                try #require(left == right, "seed \(seed), step \(step)")
                refused += 1
            default: Issue.record("seed \(seed), step \(step): \(scratch) but \(replaced)")
            }
        }
        #expect(accepted > 50 && refused > 50, "\(accepted) accepted, \(refused) refused")
    }
}
