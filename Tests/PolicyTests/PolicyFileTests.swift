import NetTypes
import Policy
import Testing

@Suite struct PolicyFileTests {
    @Test func `a policy is what was written`() throws {
        let file = try PolicyFile(
            parsing: """
                apiVersion: ringfence/v1
                kind: Policy
                name: shop-to-db
                owner: team-shop
                ticket: NET-12
                description: orders
                from:
                  - tenant: shop
                    endpoints: {matchLabels: {app: web}}
                  - tenants: all
                to:
                  - cidr: 192.0.2.0/24
                    except: [192.0.2.8/29]
                  - world
                allow:
                  - protocol: 6
                    ports: [8000-8010, 80, 8005-8020, 81]
                  - protocol: icmp
                    types: [{type: 3, code: 4}, echo-request, 8]
                """, path: "a.yaml")
        let header = PolicyHeader(
            name: "shop-to-db", owner: "team-shop", ticket: "NET-12", summary: "orders")
        guard case .policy(header, let rules, let place) = try #require(file.documents.first) else {
            Issue.record("\(file.documents)")
            return
        }
        #expect("\(place)" == "a.yaml:3:7")
        #expect(rules.map { "\($0.place)" } == ["a.yaml:16:5", "a.yaml:18:5"])
        #expect(
            rules[0].from == [
                .endpoints(of: .name("shop"), LabelSelector(matchLabels: ["app": "web"])),
                .endpoints(of: .labels(LabelSelector()), nil),
            ])
        let (network, hole) = try (
            Prefix(parsing: "192.0.2.0/24"), Prefix(parsing: "192.0.2.8/29")
        )
        #expect(rules[0].to == [.network(network, except: [hole]), .world])
        #expect(rules[0].service == .ports(.tcp, IntervalSet([80...81, 8000...8020]), names: []))
        #expect(
            rules[1].service
                == .messages(.icmp, [ICMPMessage(type: 3, code: 4), ICMPMessage(type: 8)]))
        #expect(file.references.map(\.kind) == [.tenant("shop")])
    }

    @Test(
        arguments: [
            ("{protocol: any}", .any), ("{protocol: 47}", .other(IPProtocol(rawValue: 47))),
            ("{protocol: tcp}", .ports(.tcp, .init(), names: [])),
            ("{protocol: 132}", .ports(.sctp, .init(), names: [])),
            (
                "{protocol: udp, ports: [b, a, a, 53]}",
                .ports(.udp, .init(53...53), names: ["a", "b"])
            ),
            ("{protocol: 58, types: [packet-too-big]}", .messages(.icmpv6, [ICMPMessage(type: 2)])),
            ("{protocol: 1}", .messages(.icmp, [])),
            ("{protocol: tcp, ports: [1-65535]}", .ports(.tcp, .init(1...65535), names: [])),
        ] as [(String, Service)]
    )
    func `an allow entry says`(_ entry: String, _ service: Service) throws {
        let file = try PolicyFile(parsing: Texts.policy("a", allow: entry), path: "a.yaml")
        #expect(file.rules.map(\.service) == [service])
    }

    @Test func `port names are looked up at the destination`() throws {
        let text = Texts.policy("a", allow: "{protocol: tcp, ports: [pg]}")
        let file = try PolicyFile(parsing: text, path: "a.yaml")
        let db = Peer.endpoints(of: .name("db"), nil)
        #expect(file.references.map(\.kind).last == .port("pg", protocol: 6, of: [db]))
        #expect(file.references.last.map { "\($0.place)" } == "a.yaml:6:33")
    }

    @Test func `bytes that aren't UTF-8 are refused where they stand`() throws {
        let bytes = Array("name: é\nkind: ".utf8) + [0xc3, 0x28]
        let found = try errors { try PolicyFile(parsing: bytes, path: "a.yaml") }
        #expect(found.map { "\($0.place)" } == ["a.yaml:2:7"])
    }
}

@Suite struct TenantSettingTests {
    private static let own = Peer.endpoints(of: .name("shop"), nil)

    @Test(
        arguments: [
            ("", ["internal 1:3:7 in"]),
            ("internal: allow", ["internal 4:1 in"]),
            ("internal: deny", []),
            ("internal: deny\nworld: {to: all}", ["world 5:9 out"]),
            ("internal: deny\nworld: {from: all, to: none}", ["world 5:9 in"]),
            ("internal: deny\nhost:\n  to: all\n  from: all", ["host 6:3 out", "host 7:3 in"]),
            (
                "internal: deny\nworld:\n  to: [{protocol: tcp}, {protocol: udp}]",
                ["world 6:8 out", "world 6:25 out"]
            ),
        ]
    )
    func `imply rules`(_ settings: String, _ expected: [String]) throws {
        let file = try PolicyFile(parsing: Texts.tenant("shop", settings), path: "1")
        let found = file.rules.map { rule in
            let place = "\(rule.place)".trimmingPrefix(settings.isEmpty ? "" : "1:")
            let direction = rule.to == [Self.own] ? "in" : "out"
            return "\(rule.policy.name.trimmingPrefix("tenant/shop ")) \(place) \(direction)"
        }
        #expect(found == expected)
    }

    @Test func `a whole tenant is what was written`() throws {
        let file = try PolicyFile(
            parsing: Texts.tenant(
                "shop",
                """
                labels: {env: prod}
                endpoints:
                  - namespace: shop-*
                    labels: {app: web}
                  - path: /run/ns/a
                  - pid: 42
                addresses: [10.0.0.0/24]
                ports: {http: 80, dns: {protocol: udp, port: 53}}
                """), path: "a.yaml")
        guard case .tenant(let tenant, _) = try #require(file.documents.first) else { return }
        #expect(tenant.labels == ["env": "prod"])
        #expect(tenant.claims.map(\.target) == [.name("shop-*"), .path("/run/ns/a"), .pid(42)])
        #expect(tenant.claims[0].labels == ["app": "web"])
        #expect(tenant.claims.map { "\($0.place)" } == ["a.yaml:6:5", "a.yaml:8:5", "a.yaml:9:5"])
        #expect(try tenant.pinned == [Prefix(parsing: "10.0.0.0/24")])
        #expect(
            tenant.ports == [
                NamedPort(name: "http", ipProtocol: .tcp, port: 80),
                NamedPort(name: "dns", ipProtocol: .udp, port: 53),
            ])
    }
}
