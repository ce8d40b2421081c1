import NetTypes
import Testing

@testable import Policy

/// Questions that the files alone answer.
struct PartyTests {
    struct Case: CustomTestStringConvertible {
        let from: Party
        let to: Party
        var ipProtocol = IPProtocol.tcp
        var port: UInt16? = 5432
        var icmp: ICMPMessage?
        /// A policy's name, or what is lacking; one for each end that is a tenant.
        let ends: [String]

        var testDescription: String { "\(from) > \(to) \(ipProtocol) \(port ?? 0): \(ends)" }
    }

    static func policies() throws -> PolicySet {
        Fixture.policies(
            [
                Fixture.tenant("shop", labels: ["env": "prod"]),
                Fixture.tenant("db", pinned: [try Prefix(parsing: "10.0.2.0/24")]),
            ],
            [
                Fixture.rule(
                    "sql", from: [.named("shop", ["app": "web"])], to: [.named("db")],
                    .tcp(5432...5432)),
                Fixture.rule("out", from: [.named("shop")], to: [.world], .tcp(443...443)),
                Fixture.rule("ssh", from: [.host], to: [.named("db")], .tcp()),
                Fixture.rule(
                    "lan", from: [.named("shop")], to: [try .network("10.0.0.0/16")],
                    .ports(.udp, IntervalSet(53...53), names: [])),
                Fixture.rule(
                    "ping", from: [.named("db")], to: [.named("shop")],
                    .messages(.icmp, [ICMPMessage(type: 8)])),
            ])
    }

    static func cases() throws -> [Case] {
        let web = Party.tenant("shop", labels: ["app": "web"])
        let pinned = try #require(IPAddress("10.0.2.9"))
        let far = try #require(IPAddress("203.0.113.7"))
        return [
            Case(from: web, to: .tenant("db"), ends: ["sql", "sql"]),
            Case(
                from: web, to: .tenant("db"), port: nil,
                ends: Array(repeating: "not every port is allowed, only 5432", count: 2)),
            Case(
                from: .tenant("shop"), to: .tenant("db"),
                ends: Array(repeating: "source endpoint lacks label app=web", count: 2)),
            Case(from: web, to: .address(pinned), ends: ["sql", "sql"]),
            Case(from: web, to: .address(far), port: 443, ends: ["out"]),
            Case(from: web, to: .world, port: 443, ends: ["out"]),
            Case(from: web, to: .world, port: 80, ends: ["port 80 is not among 443"]),
            Case(from: .host, to: .tenant("db"), port: nil, ends: ["ssh"]),
            Case(
                from: .world, to: .tenant("db"), port: 22,
                ends: ["the source is world; the rule names host"]),
            Case(
                from: web, to: .tenant("db"), ipProtocol: .udp, port: 53,
                ends: ["lan", "only egress is open here: no rule opens the ingress of db"]),
            Case(
                from: web, to: .tenant("shop"), ipProtocol: .udp, port: 53,
                ends: Array(
                    repeating: "whether shop lies in 10.0.0.0/16 depends on its address",
                    count: 2)),
            Case(
                from: .tenant("db"), to: web, ipProtocol: .icmp, port: nil,
                icmp: ICMPMessage(type: 8), ends: ["ping", "ping"]),
            Case(
                from: .tenant("db"), to: web, ipProtocol: .icmp, port: nil,
                icmp: ICMPMessage(type: 0),
                ends: Array(repeating: "message 0 is not among 8", count: 2)),
        ]
    }

    @Test(arguments: try cases())
    func `answers`(_ test: Case) throws {
        let report = try Self.policies().explain(
            from: test.from, to: test.to, ipProtocol: test.ipProtocol, port: test.port,
            icmp: test.icmp)

        #expect(report.ends.map { $0.rule?.policy ?? $0.refusal?.lack ?? "" } == test.ends)
        #expect(report.isAdmitted == report.ends.allSatisfy(\.isAdmitted))
    }

    @Test func `refuses a tenant that nobody declares`() throws {
        let policies = try Self.policies()

        #expect(throws: ExplainError.unknownTenant("paymets", known: ["db", "shop"])) {
            try policies.explain(from: .tenant("paymets"), to: .world, ipProtocol: .tcp)
        }
    }

    @Test func `a hundred thousand rules are one pass`() throws {
        let rules = (0..<100_000).map { number in
            Fixture.rule(
                "p\(number)", from: [.named("t\(number % 500)")], to: [.named("t\(number % 499)")],
                .tcp(1...9))
        }
        let tenants = (0..<500).map { Fixture.tenant("t\($0)") }
        let policies = Fixture.policies(tenants, rules)
        let clock = ContinuousClock()

        let time = try clock.measure {
            let report = try policies.explain(
                from: .tenant("t7"), to: .tenant("t8"), ipProtocol: .tcp, port: 10)
            #expect(!report.isAdmitted)
        }

        #expect(time < .seconds(10), "unoptimised builds take about a second")
    }
}
