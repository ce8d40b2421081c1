import NetTypes
import Reports
import Testing

@testable import Policy

/// What people are told about a flow that is refused.
struct ExplainTests {
    struct Case: CustomTestStringConvertible {
        let rule: Rule
        let flow: (String, String, IPProtocol, UInt16)
        let direction: Direction
        let lack: String
        let fix: String

        var testDescription: String { lack }
    }

    static let topology = Fixture.topology(
        [
            Fixture.endpoint("web", of: "shop", labels: ["app": "api"], "10.0.0.9"),
            Fixture.endpoint("db", of: "db", "10.0.2.1"),
        ], strays: ["10.0.7.7"])
    static let tenants = [
        Fixture.tenant("shop", labels: ["env": "test"]),
        Fixture.tenant("db", ports: [NamedPort(name: "sql", ipProtocol: .tcp, port: 5432)]),
    ]

    static func cases() throws -> [Case] {
        let toDB = ("10.0.0.9", "10.0.2.1", IPProtocol.tcp, UInt16(5433))
        let outside = ("10.0.2.1", "203.0.113.7", IPProtocol.tcp, UInt16(443))
        func rule(_ from: Peer, _ to: Peer, _ service: Service = .any) -> Rule {
            Fixture.rule("p", from: [from], to: [to], service)
        }
        return [
            Case(
                rule: rule(.named("shop"), .named("db"), .tcp(5432...5432, 8000...8010)),
                flow: toDB, direction: .ingress,
                lack: "port 5433 is not among 5432, 8000-8010",
                fix: "add port 5433 to the rule"),
            Case(
                rule: rule(.named("shop"), .named("db"), .tcp(80...80, names: ["sql"])),
                flow: toDB, direction: .egress, lack: "port 5433 is not among 80, sql",
                fix: "add port 5433 to the rule"),
            Case(
                rule: rule(.named("shop"), .named("db"), .tcp()),
                flow: ("10.0.0.9", "10.0.2.1", .udp, 53), direction: .ingress,
                lack: "protocol udp; the rule allows tcp",
                fix: own(api, "{protocol: udp, ports: [53]}")),
            Case(
                rule: rule(
                    .named("shop"), .named("db"), .messages(.icmp, [ICMPMessage(type: 8, code: 0)])),
                flow: ("10.0.0.9", "10.0.2.1", .icmp, 0x0d00), direction: .ingress,
                lack: "message 13/0 is not among 8/0", fix: "add message 13/0 to the rule"),
            Case(
                rule: rule(.named("db"), .named("shop")), flow: toDB, direction: .ingress,
                lack: "the rule goes from db to shop; the flow went the other way",
                fix: "let db call shop: the answers to its calls pass by themselves"),
            Case(
                rule: rule(.named("shop", ["app": "web"]), .named("db")), flow: toDB,
                direction: .ingress, lack: "source endpoint lacks label app=web",
                fix: own(api)),
            Case(
                rule: rule(.labelled(["env": "prod"]), .named("db")), flow: toDB,
                direction: .egress, lack: "tenant shop lacks env=prod",
                fix: own(api)),
            Case(
                rule: rule(try .network("10.0.1.0/24"), .named("db")), flow: toDB,
                direction: .ingress, lack: "address 10.0.0.9 is outside 10.0.1.0/24",
                fix: own(api)),
            Case(
                rule: rule(try .network("10.0.0.0/8", except: "10.0.0.0/24"), .named("db")),
                flow: toDB, direction: .ingress,
                lack: "address 10.0.0.9 is in the except 10.0.0.0/24",
                fix: own(api)),
            Case(
                rule: rule(.named("shop"), try .network("10.0.2.0/24")), flow: toDB,
                direction: .ingress,
                lack: "only egress is open here: no rule opens the ingress of db",
                fix: own(api)),
            Case(
                rule: rule(try .network("10.0.0.0/24"), .named("db")), flow: toDB,
                direction: .egress,
                lack: "only ingress is open here: no rule opens the egress of shop",
                fix: own(api)),
            Case(
                rule: rule(.named("db"), .host), flow: outside, direction: .egress,
                lack: "the destination is 203.0.113.7; the rule names host",
                fix: own(
                    "{tenant: db}", "{protocol: tcp, ports: [443]}", to: "{cidr: 203.0.113.7}")),
            Case(
                rule: rule(.named("shop", ["app": "web"]), .named("db"), .tcp(80...80)),
                flow: toDB, direction: .ingress,
                lack: "source endpoint lacks label app=web; port 5433 is not among 80",
                fix: own(api)),
            Case(
                rule: rule(.labelled(["env": "test"]), .named("db"), .tcp(80...80)), flow: toDB,
                direction: .ingress, lack: "port 5433 is not among 80", fix: own(api)),
            Case(
                rule: rule(.named("shop"), .named("db"), .tcp(80...80)),
                flow: ("10.0.0.9", "10.0.2.1", .tcp, 40_000), direction: .ingress,
                lack: "port 40000 is not among 80",
                fix: "open no ephemeral port such as 40000, since callers are given ports from "
                    + "32768 on: let the service listen at a fixed port below"),
            Case(
                rule: rule(.named("shop"), .named("db"), .tcp(80...80)),
                flow: ("10.0.0.9", "192.0.2.1", .tcp, 22), direction: .egress,
                lack: "the destination is 192.0.2.1, an address of this host; the rule names db; "
                    + "port 22 is not among 80",
                fix: own(api, "{protocol: tcp, ports: [22]}", to: "host")
                    + "; 'host' is every address of this host"),
            Case(
                rule: rule(.named("shop"), .named("db"), .tcp(5433...5433)),
                flow: ("192.0.2.1", "10.0.2.1", .tcp, 5433), direction: .ingress,
                lack: "the source is 192.0.2.1, an address of this host; the rule names shop",
                fix: own("host", "{protocol: tcp, ports: [5433]}")
                    + "; 'host' is whatever the host sends itself or masquerades"),
            Case(
                rule: rule(.named("shop"), .named("db"), .tcp(5433...5433)),
                flow: ("10.0.0.9", "10.0.7.7", .tcp, 5433), direction: .egress,
                lack: "the destination is 10.0.7.7, of a namespace that no tenant claims; "
                    + "the rule names db",
                fix: "claim the namespace of 10.0.7.7 in a tenant's 'endpoints'"),
            Case(
                rule: rule(.named("db"), .named("shop"), .tcp(names: ["sql"])), flow: toDB,
                direction: .ingress,
                lack: "the rule goes from db to shop; the flow went the other way; "
                    + "port 5433 is not among sql",
                fix: "let db call shop: the answers to its calls pass by themselves"),
            Case(
                rule: rule(.named("db"), .named("shop"), .tcp(names: ["sql"])),
                flow: ("10.0.2.1", "10.0.0.9", .tcp, 5432), direction: .egress,
                lack: "port 5432 is not among sql (tenant shop declares no sql)",
                fix: "add port 5432 to the rule"),
            Case(
                rule: rule(.named("shop"), .named("db"), .any),
                flow: ("10.0.0.9", "203.0.113.7", IPProtocol(rawValue: 47), 0), direction: .egress,
                lack: "the destination is 203.0.113.7; the rule names db",
                fix: own(api, "{protocol: 47}", to: "{cidr: 203.0.113.7}")),
            Case(
                rule: rule(.named("shop"), .named("db"), .any),
                flow: ("10.0.0.9", "2001:db8::7", .icmpv6, 0x8000), direction: .egress,
                lack: "the destination is 2001:db8::7; the rule names db",
                fix: own(
                    api, "{protocol: icmpv6, types: [{type: 128, code: 0}]}",
                    to: "{cidr: \"2001:db8::7\"}")),
        ]
    }

    static let api = "{tenant: shop, endpoints: {matchLabels: {app: api}}}"

    /// The advice to write a policy for the flow alone.
    private static func own(
        _ from: String, _ entry: String = "{protocol: tcp, ports: [5433]}",
        to: String = "{tenant: db}"
    ) -> String {
        "write a policy of its own: from: [\(from)], to: [\(to)], allow: [\(entry)]"
    }

    @Test(arguments: try cases())
    func `names the closest rule and what it lacks`(_ test: Case) throws {
        let policies = Fixture.policies(Self.tenants, [test.rule])
        let flow = try Flow.flow(test.flow.0, test.flow.1, test.flow.2, test.flow.3)
        let near = test.direction == .egress ? flow.source : flow.destination
        let endpoint = try #require(Self.topology.endpoint(with: near))

        let explanation = policies.explanation(
            for: flow, at: endpoint, direction: test.direction, in: Self.topology)

        #expect(
            explanation
                == Explanation(rule: RuleReference(test.rule), lack: test.lack, fix: test.fix))
    }

    @Test func `without a rule that comes near, says what to write`() throws {
        let unrelated = Fixture.rule("x", from: [.named("db")], to: [.world], .tcp(80...80))
        let policies = Fixture.policies(Self.tenants, [unrelated])

        let report = policies.explain(try .tcp("10.0.0.9", "10.0.2.1", 5432), in: Self.topology)

        #expect(!report.isAdmitted)
        #expect(report.ends.map(\.direction) == [.egress, .ingress])
        #expect(
            report.ends.map(\.refusal) == [
                Explanation(
                    rule: nil, lack: "no rule opens the egress of shop to flows to db",
                    fix: Self.own(Self.api, "{protocol: tcp, ports: [5432]}")),
                Explanation(
                    rule: nil, lack: "no rule opens the ingress of db to flows from shop",
                    fix: Self.own(Self.api, "{protocol: tcp, ports: [5432]}")),
            ])
    }

    @Test func `an answer that comes late is no call`() throws {
        let rule = Fixture.rule(
            "dns", from: [.named("shop")], to: [.named("db")],
            .ports(.udp, IntervalSet(53...53), names: []))
        let policies = Fixture.policies(Self.tenants, [rule])
        let answer = Flow(
            source: .v4(0x0a00_0201), destination: .v4(0x0a00_0009), ipProtocol: .udp,
            sourcePort: 53, destinationPort: 34_885)

        for direction in [Direction.egress, .ingress] {
            let near = answer.peer(direction.reversed)
            let explanation = policies.lateAnswer(
                answer, at: try #require(Self.topology.endpoint(with: near)),
                direction: direction, in: Self.topology)

            #expect(explanation?.rule?.policy == "dns")
            #expect(explanation?.lack.contains("looks like an answer") == true)
            #expect(explanation?.fix.hasPrefix("no rule is missing") == true)
            let call = Flow(
                source: answer.source, destination: answer.destination, ipProtocol: .udp,
                sourcePort: 54, destinationPort: 34_885)
            #expect(
                policies.lateAnswer(
                    call, at: try #require(Self.topology.endpoint(with: near)),
                    direction: direction, in: Self.topology) == nil)
        }
    }

    @Test func `between addresses that no tenant pins nothing is judged`() throws {
        let policies = Fixture.policies(Self.tenants, [])
        let ends = try ["10.0.0.9", "10.0.2.1"].map { Party.address(try #require(IPAddress($0))) }

        for (from, to) in [(ends[0], ends[1]), (.world, .host), (ends[0], .host)] {
            let report = try policies.explain(from: from, to: to, ipProtocol: .tcp, port: 9)

            #expect(!report.isAdmitted && !report.isJudged)
            #expect(report.text(width: nil).contains("not judged"))
        }
        let half = try policies.explain(
            from: ends[0], to: .tenant("db"), ipProtocol: .tcp, port: 9)
        #expect(!half.isAdmitted && half.isJudged)
        #expect(half.notes.count == 1)
    }

    @Test func `prefers the nearest rule, and the first by name among equals`() throws {
        let rules = [
            Fixture.rule("b", from: [.named("shop")], to: [.named("db")], .tcp(2...2)),
            Fixture.rule("a", from: [.named("shop")], to: [.named("db")], .tcp(1...1)),
            Fixture.rule(
                "0", from: [.named("shop")], to: [.named("db")], .ports(.udp, .all, names: [])),
        ]
        let policies = Fixture.policies(Self.tenants, rules)

        let report = policies.explain(try .tcp("10.0.0.9", "10.0.2.1", 3), in: Self.topology)

        #expect(report.ends.map(\.refusal?.rule?.policy) == ["a", "a"])
        #expect(report.ends.map(\.endpoint) == ["web", "db"])
    }

    @Test func `of equals, one that has expired is the nearest`() throws {
        let tenants = ["shop", "db"].map {
            "apiVersion: ringfence/v1\nkind: Tenant\nname: \($0)\n---\n"
        }
        let policies = [("a", "ports: [3]", ""), ("b", "ports: [1]", "expires: '2027-01-31'")].map {
            """
            apiVersion: ringfence/v1
            kind: Policy
            name: \($0)
            \($2)
            from: [{tenant: shop}]
            to: [{tenant: db}]
            allow: [{protocol: tcp, \($1)}]

            """
        }
        let file = try PolicyFile(
            parsing: tenants.joined() + policies.joined(separator: "---\n"), path: "a.yaml")
        let moment = try #require(Timestamp("2027-01-31"))
        let flow = try Flow.tcp("10.0.0.9", "10.0.2.1", 1)

        let before = try PolicySet(checking: [file]).explain(flow, in: Self.topology)
        let after = try PolicySet(checking: [file.at(moment)]).explain(flow, in: Self.topology)

        #expect(before.isAdmitted && !after.isAdmitted)
        let refusal = try #require(after.ends.last?.refusal)
        #expect(refusal.rule?.policy == "b")
        #expect(refusal.lack == "the policy expired at 2027-01-31T00:00:00.000Z")
        #expect(refusal.fix == "set 'expires' of the policy to a later time")
    }

    @Test func `loopback is explained as admitted without a rule`() throws {
        let policies = Fixture.policies(Self.tenants, [])

        let report = policies.explain(try .tcp("10.0.2.1", "10.0.2.1", 3), in: Self.topology)

        #expect(report.isAdmitted)
        #expect(report.ends.map(\.rule) == [nil, nil])
    }
}

/// The words of an explanation on a terminal.
struct ExplainTextTests {
    @Test func `says who refuses, why, and what to write`() throws {
        let rule = Fixture.rule(
            "sql", from: [.named("shop")], to: [.named("db")], .tcp(5432...5432))
        let policies = Fixture.policies(ExplainTests.tenants, [rule])

        let report = try policies.explain(
            from: .tenant("shop"), to: .tenant("db"), ipProtocol: .tcp, port: 1)

        #expect(
            report.text(width: nil) == """
                shop > db tcp 1: refused
                  egress of shop: refused
                    policy sql (owner team-sql, SEC-1) at policies/test.yaml:5:5: port 1 is not among 5432
                    fix: add port 1 to the rule
                  ingress of db: refused
                    policy sql (owner team-sql, SEC-1) at policies/test.yaml:5:5: port 1 is not among 5432
                    fix: add port 1 to the rule

                """)
    }

    @Test func `a hostile name can't add lines`() throws {
        let name = "a\nb > c tcp 1: admitted"
        let policies = Fixture.policies([Fixture.tenant(name)], [])

        let report = try policies.explain(from: .tenant(name), to: .world, ipProtocol: .tcp)

        #expect(report.text(width: nil).split(separator: "\n").count == 4)
    }
}
