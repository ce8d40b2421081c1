import NetTypes
import Testing

@testable import Policy

/// The evaluator and the explainer are written apart; on random policies they must agree.
struct AgreementTests {
    @Test(arguments: [1, 7, 4242, 90_001] as [UInt64])
    func `a flow has an explanation exactly if it is refused`(seed: UInt64) throws {
        var random = SplitMix(state: seed)
        for _ in 0..<60 {
            let policies = Self.policies(&random)
            for _ in 0..<20 { try expectAgreement(policies, Self.flow(&random), seed: seed) }
        }
    }

    private func expectAgreement(_ policies: PolicySet, _ flow: Flow, seed: UInt64) throws {
        let verdict = policies.verdict(for: flow, in: Self.topology)
        let report = policies.explain(flow, in: Self.topology)
        let expected = [verdict.egress, verdict.ingress].compactMap(\.self)

        #expect(report.isAdmitted == verdict.isAdmitted, "seed \(seed), \(flow)")
        #expect(report.ends.map(\.isAdmitted) == expected.map(\.isAdmitted), "seed \(seed)")
        #expect(report.ends.map(\.rule) == expected.map { $0.rule.map { RuleReference($0) } })
    }

    static let addresses = [
        "10.0.0.1", "10.0.0.2", "10.0.1.1", "fd00::1", "192.0.2.1", "203.0.113.7", "10.9.9.9",
    ].compactMap { IPAddress($0) }

    static let topology = Fixture.topology(
        [
            Fixture.endpoint("a1", of: "a", labels: ["app": "web"], "10.0.0.1"),
            Fixture.endpoint("a2", of: "a", "10.0.0.2", "fd00::1"),
            Fixture.endpoint("b1", of: "b", labels: ["app": "web"], "10.0.1.1"),
        ], conflicted: ["10.9.9.9"])

    static func flow(_ random: inout SplitMix) -> Flow {
        let source = addresses.randomElement(using: &random) ?? .v4(1)
        let destination = addresses.randomElement(using: &random) ?? .v4(1)
        let ipProtocol = [IPProtocol.tcp, .udp, .icmp].randomElement(using: &random) ?? .tcp
        return Flow(
            source: source, destination: destination, ipProtocol: ipProtocol,
            destinationPort: .random(in: 0...4, using: &random))
    }

    static func policies(_ random: inout SplitMix) -> PolicySet {
        let ports = [NamedPort(name: "n", ipProtocol: .tcp, port: 3)]
        let tenants = [
            Fixture.tenant("a", labels: ["env": "prod"], ports: ports), Fixture.tenant("b"),
        ]
        let rules = (0..<Int.random(in: 1...6, using: &random)).map { number in
            Fixture.rule(
                "p\(Int.random(in: 0...3, using: &random))", from: peers(&random),
                to: peers(&random), service(&random), line: number + 5)
        }
        return Fixture.policies(tenants, rules)
    }

    private static func peers(_ random: inout SplitMix) -> [Peer] {
        let choices: [Peer] = [
            .named("a"), .named("b"), .named("a", ["app": "web"]), .labelled(["env": "prod"]),
            .labelled([:]), .world, .host,
            .network(Prefix(containing: .v4(0x0a00_0000), length: 24), except: []),
            .network(
                Prefix(containing: .v4(0x0a00_0000), length: 8),
                except: [Prefix(containing: .v4(0x0a00_0000), length: 24)]),
        ]
        return (0..<Int.random(in: 1...2, using: &random)).compactMap { _ in
            choices.randomElement(using: &random)
        }
    }

    private static func service(_ random: inout SplitMix) -> Service {
        let choices: [Service] = [
            .any, .tcp(), .tcp(1...2), .tcp(names: ["n"]), .ports(.udp, .all, names: []),
            .messages(.icmp, []), .messages(.icmp, [ICMPMessage(type: 0, code: 2)]), .other(.udp),
        ]
        return choices.randomElement(using: &random) ?? .any
    }
}

/// The generator of Steele, Lea and Flood: small, and the same everywhere.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }
}
