import Policy
import Testing

/// Advice that is followed to the letter must never open more than the author wrote.
@Suite struct AdviceTests {
    /// A mistake, and a part of the one fix that it gets.
    struct Mistake: CustomTestStringConvertible {
        let text: String
        let fix: String

        var testDescription: String { text }

        init(_ text: String, _ fix: String) {
            self.text = text
            self.fix = fix
        }

        static let tenants: [Mistake] = [
            Mistake("internal: no", "write 'internal: deny'"),
            Mistake("internal: off", "write 'internal: deny'"),
            Mistake("internal: none", "write 'internal: deny'"),
            Mistake("internal: closed", "write 'internal: deny'"),
            Mistake("internal: yes", "write 'internal: allow'"),
            Mistake("internal: alow", "write 'internal: allow'"),
            Mistake("internal: dent", "write 'internal: deny'"),
            Mistake("internal: perhaps", "write 'internal: deny' or 'internal: allow'"),
            Mistake("internal: [web]", "write 'internal: deny' or 'internal: allow'"),
            Mistake("world: none", "write it as 'world: {to: none, from: none}'"),
            Mistake("world: deny", "write it as 'world: {to: none, from: none}'"),
            Mistake("host: false", "write it as 'host: {to: none, from: none}'"),
            Mistake("world: {to: no}", "write 'to: none'"),
            Mistake("world: {to: deny}", "write 'to: none'"),
            Mistake("world: {to: web}", "write 'to: none', or list what may pass as in 'allow'"),
            Mistake("addresses: []", "list the tenant's networks"),
        ]

        static let policies: [Mistake] = [
            Mistake("alow: [{protocol: tcp, ports: [443]}]", "write 'allow' in its place"),
            Mistake("permit: [{protocol: tcp, ports: [443]}]", "write 'allow' in its place"),
            Mistake("deny: [{protocol: tcp, ports: [22]}]", "delete it; if nothing is left"),
            Mistake("drop: [{protocol: tcp, ports: [22]}]", "delete it; if nothing is left"),
            Mistake("", "or delete the document if it allows nothing"),
            Mistake("allow: []", "list what is allowed, or delete the policy"),
            Mistake("allow: none", "allow: [{protocol: tcp, ports: [PORT]}]"),
            Mistake("allow: [{ports: [443]}]", "add 'protocol: PROTOCOL'"),
            Mistake("allow: [{proto: tcp, ports: [443]}]", "write 'protocol' in its place"),
            Mistake("allow: [{protocol: tcp, dport: [443]}]", "write 'ports' in its place"),
            Mistake("allow: [{protocol: tcp, toPorts: [443]}]", "write 'ports' in its place"),
            Mistake("allow: [{protocol: tcp, range: 443}]", "opens more without it"),
            Mistake("allow: [{protocol: tcp, action: deny}]", "delete the whole entry"),
            Mistake("allow: [{protocol: tcp/443}]", "write 'protocol: tcp' and 'ports: [443]'"),
            Mistake("allow: [{protocol: https}]", "a service such as https is a protocol with"),
            Mistake("allow: [{protocol: all}]", "write one of these"),
            Mistake("allow: [{protocol: ant}]", "write one of these"),
            Mistake("allow: [{protocol: tcp, ports: []}]", "or delete the entry"),
            Mistake("allow: [{protocol: icmp, types: []}]", "or delete the entry"),
            Mistake("allow: [{protocol: any, ports: [443]}]", "write tcp, udp or sctp as the"),
            Mistake("allow: [{protocol: icmp, ports: [443]}]", "write tcp, udp or sctp as the"),
            Mistake("allow: [{protocol: tcp, types: [8]}]", "write icmp or icmpv6 as the"),
            Mistake("until: \"2027-01-01\"\nallow: [{protocol: tcp}]", "write 'expires' in its"),
            Mistake("limit: 3\nallow: [{protocol: tcp}]", "opens more without it"),
            Mistake("al\u{a0}low: [{protocol: tcp}]", "the invisible character U+00A0"),
        ]

        static let peers: [Mistake] = [
            Mistake("any", "name the tenants"), Mistake("'*'", "name the tenants"),
            Mistake("{tenants: any}", "write a selector"),
            Mistake("{tenants: {env: prod}}", "write 'matchLabels: {env: VALUE}'"),
            Mistake("{tenants: [shop, db]}", "write '- tenant: shop', '- tenant: db'"),
            Mistake("{tenants: {matchLabels: env=prod}}", "write each label as 'KEY: VALUE'"),
            Mistake("{tenant: shop, labels: {app: web}}", "write 'endpoints' in its place"),
            Mistake("{tenant: shop, app: web}", "opens more without it"),
            Mistake("{cidr: 10.0.0.0/8, exclude: [10.1.0.0/16]}", "write 'except' in its place"),
            Mistake("{ip: 192.0.2.1}", "write 'cidr' in its place"),
            Mistake("{endpoints: {matchLabels: {app: web}}}", "add 'tenant: NAME'"),
            Mistake("{tenant: shop, endpoints: {}}", "without 'endpoints' all endpoints"),
        ]
    }

    @Test(arguments: Mistake.tenants)
    func `of a tenant`(_ mistake: Mistake) throws {
        try check(mistake, in: Texts.tenant("shop", mistake.text))
    }

    @Test(arguments: Mistake.policies)
    func `of a policy`(_ mistake: Mistake) throws {
        let head = "apiVersion: ringfence/v1\nkind: Policy\nname: a\n"
        try check(mistake, in: head + "from: [{tenant: shop}]\nto: [world]\n\(mistake.text)\n")
    }

    @Test(arguments: Mistake.peers)
    func `of a peer`(_ mistake: Mistake) throws {
        try check(mistake, in: Texts.policy("a", from: mistake.text, to: "{tenant: db}"))
    }

    /// One mistake has one fix, and that proposes nothing that opens everything.
    private func check(_ mistake: Mistake, in text: String) throws {
        let found = try mistakes(
            in: Texts.documents(text, Texts.tenant("shop"), Texts.tenant("db")))
        #expect(found.count == 1, "\(found)")
        let first = try #require(found.first)
        #expect(first.fix.contains(mistake.fix), "\(first)")
        for opening in [
            "protocol: any", "allow: [{protocol: tcp}]", "to: all", "from: all", "[443]}",
            "0.0.0.0/0", "::/0",
        ] {
            #expect(!first.fix.contains(opening), "\(first)")
        }
    }
}
