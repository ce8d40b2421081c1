import NetTypes
import Policy
import Testing

@Suite struct RuleIDTests {
    private static func ids(_ text: String, path: String = "a.yaml") throws -> [RuleID] {
        try PolicyFile(parsing: text, path: path).rules.map(\.id)
    }

    private static let base = Texts.policy(
        "a", from: "{tenant: shop}, world", allow: "{protocol: tcp, ports: [1-3, 7]}")

    @Test func `is the same in every process and release`() throws {
        #expect(try Self.ids(Self.base).map(\.description) == ["5e72125d48220703"])
    }

    @Test(
        arguments: [
            Texts.policy(
                "a", from: "world, {tenant: shop}", allow: "{protocol: 6, ports: [7, 2-3, 1]}"),
            "\n\n# moved\n" + base,
            base + "owner: somebody\nticket: X-1\ndescription: other words\n",
        ]
    )
    func `stays when the meaning does`(_ text: String) throws {
        #expect(try Self.ids(text, path: "b/c.yaml") == Self.ids(Self.base))
    }

    @Test func `differs when the meaning does`() throws {
        let allows = [
            "{protocol: tcp, ports: [1-3]}", "{protocol: udp, ports: [1-3]}", "{protocol: tcp}",
            "{protocol: any}", "{protocol: icmp}", "{protocol: icmpv6}",
            "{protocol: icmp, types: [3]}", "{protocol: icmp, types: [{type: 3, code: 0}]}",
            "{protocol: 47}", "{protocol: tcp, ports: [a]}", "{protocol: tcp, ports: [b]}",
        ]
        let peers = [
            "{tenant: shop}", "{tenant: shop, endpoints: {matchLabels: {a: b}}}", "{tenants: all}",
            "{tenants: {matchLabels: {a: b}}}", "world", "host", "{cidr: 10.0.0.0/8}",
            "{cidr: 10.0.0.0/8, except: [10.1.0.0/16]}", "{cidr: 10.1.0.0/16}",
            "{tenants: {matchExpressions: [{key: a, operator: Exists}]}}",
            "{tenants: {matchExpressions: [{key: a, operator: DoesNotExist}]}}",
            "{tenants: {matchExpressions: [{key: a, operator: In, values: [b]}]}}",
            "{tenants: {matchExpressions: [{key: a, operator: NotIn, values: [b]}]}}",
            "world, host",
        ]
        var texts = allows.map { Texts.policy("a", allow: $0) }
        texts += peers.map { Texts.policy("a", from: $0) }.dropFirst()
        texts.append(Texts.policy("b"))
        texts.append(Texts.policy("a"))
        let ids = try texts.flatMap { try Self.ids($0) }
        #expect(Set(ids).count == texts.count)
    }

    @Test func `survives a new order of the entries`() throws {
        let entries = ["{protocol: tcp}", "{protocol: udp}", "{protocol: tcp}", "{protocol: any}"]
        let forward = try Self.ids(Texts.policy("a", allow: entries.joined(separator: ", ")))
        let backward = try Self.ids(
            Texts.policy("a", allow: entries.reversed().joined(separator: ", ")))
        #expect(Set(forward).count == 4)
        #expect(Set(forward) == Set(backward))
    }
}
