import NetTypes
import Policy
import Testing

@testable import Agent

/// What is in force follows the clock, in both directions.
@Suite struct PolicyInputsTests {
    private static let text = """
        apiVersion: ringfence/v1
        kind: Tenant
        name: a
        ---
        apiVersion: ringfence/v1
        kind: Policy
        name: soon
        expires: "2027-01-31"
        from: [{tenant: a}]
        to: [world]
        allow: [{protocol: tcp}]
        ---
        apiVersion: ringfence/v1
        kind: Policy
        name: later
        expires: "2027-02-28"
        from: [{tenant: a}]
        to: [world]
        allow: [{protocol: udp}]

        """

    private static func moment(_ text: String) throws -> Timestamp {
        try #require(Timestamp(text))
    }

    private static func policies(_ inputs: PolicyInputs) -> [String] {
        let names = inputs.accepted.files.values.flatMap(\.rules).map(\.policy.name)
        // Without those that follow from a tenant.
        return names.filter { !$0.contains("/") }.sorted()
    }

    @Test func `policies go at their moment, and come back when the clock does`() throws {
        var inputs = PolicyInputs()
        let (first, second) = try (Self.moment("2027-01-31"), Self.moment("2027-02-28"))
        let start = try Self.moment("2027-01-01")
        _ = inputs.take(["a.yaml": .bytes(Array(Self.text.utf8))], at: start)
        #expect(Self.policies(inputs) == ["later", "soon"])
        #expect(inputs.nextExpiry(after: start) == first)
        #expect(inputs.follow(start).isEmpty)

        #expect(inputs.isUpToDate(at: start) && !inputs.isUpToDate(at: first))
        #expect(inputs.lastExpiry(upTo: start) == nil)
        #expect(inputs.follow(first) == ["a.yaml"])
        #expect(inputs.isUpToDate(at: first) && inputs.lastExpiry(upTo: first) == first)
        #expect(Self.policies(inputs) == ["later"])
        #expect(inputs.nextExpiry(after: first) == second)

        #expect(inputs.follow(second) == ["a.yaml"])
        #expect(Self.policies(inputs).isEmpty)
        #expect(inputs.nextExpiry(after: second) == nil && inputs.dependsOnTime)

        #expect(inputs.follow(start) == ["a.yaml"])
        #expect(Self.policies(inputs) == ["later", "soon"])
    }

    @Test func `what has expired when it is read opens nothing`() throws {
        var inputs = PolicyInputs()
        let changed = inputs.take(
            ["a.yaml": .bytes(Array(Self.text.utf8))], at: try Self.moment("2027-02-01"))
        #expect(changed.keys.map(\.self) == ["a.yaml"])
        #expect(Self.policies(inputs) == ["later"])
    }

    /// A file that waits for another is looked at again when that one comes, perhaps much later.
    @Test func `what has expired while it waited opens nothing`() throws {
        var inputs = PolicyInputs()
        let policy = Self.text.replacing("kind: Tenant\nname: a\n", with: "kind: Tenant\nname: b\n")
        _ = inputs.take(
            ["p.yaml": .bytes(Array(policy.utf8))], at: try Self.moment("2027-01-01"))
        #expect(inputs.accepted.files.isEmpty)
        let tenant = "apiVersion: ringfence/v1\nkind: Tenant\nname: a\n"
        _ = inputs.take(
            ["t.yaml": .bytes(Array(tenant.utf8))], at: try Self.moment("2027-02-01"))
        #expect(Self.policies(inputs) == ["later"])
    }

    @Test func `nothing depends on the time any more when the file is gone`() throws {
        var inputs = PolicyInputs()
        let now = try Self.moment("2027-01-01")
        _ = inputs.take(["a.yaml": .bytes(Array(Self.text.utf8))], at: now)
        #expect(inputs.dependsOnTime)
        _ = inputs.take(["a.yaml": .absent], at: now)
        #expect(!inputs.dependsOnTime && inputs.nextExpiry(after: now) == nil)
    }

    private static let now = Timestamp(milliseconds: 1_700_000_000_000)

    @Test func `a file that is refused for its size keeps its last content and holds up no other`()
        throws
    {
        var inputs = PolicyInputs()
        _ = inputs.take(["a.yaml": .bytes(Array(Self.text.utf8))], at: Self.now)
        let larger = Self.text.replacing("name: soon", with: "name: larger")
        let other = "apiVersion: ringfence/v1\nkind: Tenant\nname: b\n"
        let place = SourcePlace(file: "a.yaml", line: 6, column: 7)
        let refusal = Diagnostic("too large", fix: "list less", at: place)
        var asked: [Set<String>] = []
        let changed = inputs.take(
            ["a.yaml": .bytes(Array(larger.utf8)), "b.yaml": .bytes(Array(other.utf8))],
            at: Self.now
        ) { next, paths in
            asked.append(paths)
            let isLarge =
                next.files["a.yaml"]?.rules.contains { $0.policy.name == "larger" } ?? false
            return isLarge ? ["a.yaml": [refusal]] : [:]
        }
        #expect(Set(changed.keys) == ["b.yaml"])
        #expect(asked == [["a.yaml", "b.yaml"], ["b.yaml"]])
        #expect(inputs.diagnostics == [refusal])
        #expect(Self.policies(inputs) == ["later", "soon"])
        // It is taken as soon as it fits.
        let next = inputs.take(["b.yaml": .bytes(Array(other.utf8) + [10])], at: Self.now)
        #expect(Set(next.keys) == ["a.yaml", "b.yaml"] && inputs.diagnostics.isEmpty)
        #expect(Self.policies(inputs) == ["larger", "later"])
    }

    @Test(arguments: ["", "\n", "# - all of it\n# is a comment\n", "---\n", "  # a\n---\n# b\r\n"])
    func `a file without a document ends its rules, and is known for one`(_ text: String) throws {
        var inputs = PolicyInputs()
        _ = inputs.take(["a.yaml": .bytes(Array(Self.text.utf8))], at: Self.now)
        #expect(PolicyFile.isBlank(Array(text.utf8)))
        #expect(!PolicyFile.isBlank(Array(Self.text.utf8)))
        let tenant = "apiVersion: ringfence/v1\nkind: Tenant\nname: a\n"
        let changed = inputs.take(
            ["a.yaml": .bytes(Array(text.utf8)), "t.yaml": .bytes(Array(tenant.utf8))],
            at: Self.now)
        #expect(Set(changed.keys) == ["a.yaml", "t.yaml"])
        #expect(Self.policies(inputs).isEmpty && inputs.diagnostics.isEmpty)
        #expect(inputs.accepted.warnings().map(\.place.file) == ["a.yaml"])
    }
}
