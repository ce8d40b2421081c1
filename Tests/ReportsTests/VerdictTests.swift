import NetTypes
import Testing

@testable import Policy

/// The reference evaluator on one small host with both families.
struct VerdictTests {
    /// A flow, and what each end must say: a policy's name, `-` for refused, `lo`, nil for no end.
    struct Case: CustomTestStringConvertible {
        let flow: (String, String, IPProtocol, UInt16)
        let egress: String?
        let ingress: String?

        init(_ flow: (String, String, IPProtocol, UInt16), _ egress: String?, _ ingress: String?) {
            self.flow = flow
            self.egress = egress
            self.ingress = ingress
        }

        var testDescription: String { "\(flow.0) > \(flow.1) \(flow.2) \(flow.3)" }
    }

    static let web = "10.0.1.1"
    static let batch = "10.0.1.2"
    static let db = "10.0.2.1"
    static let stage = "10.0.3.1"

    static let topology = Fixture.topology(
        [
            Fixture.endpoint("web", of: "shop", labels: ["app": "web"], web, "fd00:1::1"),
            Fixture.endpoint("batch", of: "shop", labels: ["app": "batch"], batch),
            Fixture.endpoint("db", of: "db", db, "fd00:2::1"),
            Fixture.endpoint("stage", of: "stage", stage),
        ], conflicted: ["10.0.9.9"])

    static func policies() throws -> PolicySet {
        Fixture.policies(
            [
                Fixture.tenant("shop", labels: ["env": "prod"]),
                Fixture.tenant(
                    "db",
                    ports: [
                        NamedPort(name: "sql", ipProtocol: .tcp, port: 5432),
                        NamedPort(name: "sql", ipProtocol: .udp, port: 99),
                    ]),
                Fixture.tenant("stage", labels: ["env": "test"]),
            ],
            [
                Fixture.rule(
                    "b-sql", from: [.named("shop", ["app": "web"])], to: [.named("db")],
                    .tcp(names: ["sql"]), line: 5),
                Fixture.rule(
                    "b-sql", from: [.named("shop")], to: [.named("db")], .tcp(5432...5432),
                    line: 9),
                Fixture.rule(
                    "c-wide", from: [.labelled(["env": "prod"])], to: [.named("db")],
                    .tcp(5000...6000)),
                Fixture.rule(
                    "ping", from: [.named("stage")], to: [.named("db"), .named("shop")],
                    .messages(.icmp, [ICMPMessage(type: 8, code: 0)])),
                Fixture.rule(
                    "lan", from: [.named("stage")],
                    to: [try .network("10.0.0.0/8", except: "10.0.1.0/24")], .tcp(80...80)),
                Fixture.rule("out", from: [.named("stage")], to: [.world], .tcp(443...443)),
                Fixture.rule("host", from: [.host], to: [.named("stage")], .tcp()),
                Fixture.rule(
                    "gre", from: [.named("stage")], to: [.world], .other(.init(rawValue: 47))),
            ])
    }

    @Test(arguments: [
        Case((web, db, .tcp, 5432), "b-sql:5", "b-sql:5"),
        Case((batch, db, .tcp, 5432), "b-sql:9", "b-sql:9"),
        Case(("fd00:1::1", "fd00:2::1", .tcp, 5432), "b-sql:5", "b-sql:5"),
        Case((web, db, .tcp, 5433), "c-wide:5", "c-wide:5"),
        Case((web, db, .tcp, 6001), "-", "-"),
        Case((web, db, .udp, 99), "-", "-"),
        Case((db, web, .tcp, 5432), "-", "-"),
        Case((web, web, .tcp, 1), "lo", "lo"),
        Case((web, "fd00:1::1", .udp, 1), "lo", "lo"),
        Case((web, batch, .tcp, 80), "-", "-"),
        Case((stage, db, .icmp, 0x800), "ping:5", "ping:5"),
        Case((stage, db, .icmp, 0x801), "-", "-"),
        Case((stage, db, .icmpv6, 0x800), "-", "-"),
        Case((stage, db, .tcp, 80), "lan:5", "-"),
        Case((stage, web, .tcp, 80), "-", "-"),
        Case((stage, "10.0.9.9", .tcp, 80), "lan:5", nil),
        Case((stage, "10.0.9.9", .tcp, 443), "-", nil),
        Case((stage, "203.0.113.7", .tcp, 443), "out:5", nil),
        Case((stage, "203.0.113.7", .init(rawValue: 47), 0), "gre:5", nil),
        Case((stage, "2001:db8::1", .tcp, 443), "out:5", nil),
        Case((stage, "192.0.2.1", .tcp, 443), "-", nil),
        Case((stage, "224.0.0.1", .tcp, 443), "-", nil),
        Case((stage, "255.255.255.255", .tcp, 443), "-", nil),
        Case((stage, "169.254.1.1", .tcp, 443), "-", nil),
        Case((stage, "fe80::1", .tcp, 443), "-", nil),
        Case((stage, "0.0.0.0", .tcp, 443), "-", nil),
        Case((stage, "::", .tcp, 443), "-", nil),
        Case((stage, "127.0.0.1", .tcp, 443), "-", nil),
        Case(("192.0.2.1", stage, .tcp, 22), nil, "host:5"),
        Case(("192.0.2.1", stage, .udp, 22), nil, "-"),
        Case(("203.0.113.7", stage, .tcp, 22), nil, "-"),
        Case(("203.0.113.7", "192.0.2.1", .tcp, 22), nil, nil),
    ])
    func `judges`(_ test: Case) throws {
        let flow = try Flow.flow(test.flow.0, test.flow.1, test.flow.2, test.flow.3)

        let verdict = try Self.policies().verdict(for: flow, in: Self.topology)

        #expect(verdict.egress.map(text) == test.egress)
        #expect(verdict.ingress.map(text) == test.ingress)
        #expect(verdict.isAdmitted == (test.egress != "-" && test.ingress != "-"))
    }

    private func text(_ verdict: Verdict) -> String {
        switch verdict {
        case .admitted(let rule): "\(rule.policy.name):\(rule.place.line)"
        case .loopback: "lo"
        case .refused: "-"
        }
    }

    @Test func `an endpoint whose tenant is not declared gets nothing`() throws {
        let topology = Fixture.topology([
            Fixture.endpoint("ghost", of: "ghost", "10.0.7.1"),
            Fixture.endpoint("db", of: "db", Self.db),
        ])
        let everything = Fixture.rule("all", from: [.labelled([:])], to: [.labelled([:])])
        let policies = Fixture.policies([Fixture.tenant("db")], [everything])

        let verdict = policies.verdict(for: try .tcp("10.0.7.1", Self.db, 1), in: topology)

        #expect(verdict == FlowVerdict(egress: .refused, ingress: .refused))
    }
}
