import NetTypes
import Testing

@testable import Policy

/// Advice is followed to the letter: on random policies it opens the flow that it is about, and no other service.
struct AdviceTests {
    private static let start = "write a policy of its own: "

    @Test(arguments: [3, 11, 777, 60_606] as [UInt64])
    func `a policy that is advised opens one service`(seed: UInt64) throws {
        var random = SplitMix(state: seed)
        var followed = 0
        for _ in 0..<5 {
            let policies = AgreementTests.policies(&random)
            for _ in 0..<6 {
                let flow = AgreementTests.flow(&random)
                for end in policies.explain(flow, in: AgreementTests.topology).ends {
                    guard let fix = end.refusal?.fix else { continue }
                    #expect(!fix.contains("any") && !fix.contains("all}"), "seed \(seed): \(fix)")
                    guard fix.hasPrefix(Self.start) else { continue }
                    try follow(fix, about: flow, at: end.direction, policies)
                    followed += 1
                }
            }
        }
        #expect(followed > 4)
    }

    private func follow(
        _ fix: String, about flow: Flow, at direction: Direction, _ policies: PolicySet
    ) throws {
        let after = try policies.adding(try Self.policy(fix))
        let topology = AgreementTests.topology
        let near = try #require(topology.endpoint(with: flow.peer(direction.reversed)))
        #expect(
            after.verdict(for: flow, at: near, direction: direction, in: topology).isAdmitted,
            "\(fix)")
        for source in AgreementTests.addresses {
            for destination in AgreementTests.addresses {
                for (ipProtocol, port) in Self.otherServices(than: flow) {
                    let other = Flow(
                        source: source, destination: destination, ipProtocol: ipProtocol,
                        destinationPort: port)
                    let (was, is_) = (
                        policies.verdict(for: other, in: topology).isAdmitted,
                        after.verdict(for: other, in: topology).isAdmitted
                    )
                    #expect(was == is_, "\(fix): \(other)")
                }
            }
        }
    }

    private static func otherServices(than flow: Flow) -> [(IPProtocol, UInt16)] {
        [IPProtocol.tcp, .udp, .icmp].flatMap { number in
            (0...2).map { (number, UInt16($0)) }
        }.filter { $0.0 != flow.ipProtocol || $0.1 != flow.destinationPort }
    }

    /// What is advised, as a file.
    static func policy(_ fix: String) throws -> PolicyFile {
        let text = fix.dropFirst(start.count).split(separator: ";")[0]
        let lines = ["from", "to", "allow"].compactMap { key -> String? in
            guard let at = text.firstRange(of: "\(key): [") else { return nil }
            let rest = text[at.lowerBound...]
            let next = ["], to: [", "], allow: ["].compactMap {
                rest.firstRange(of: $0)?.lowerBound
            }
            .min()
            return next.map { String(rest[..<$0]) + "]" } ?? String(rest)
        }
        let head = "apiVersion: ringfence/v1\nkind: Policy\nname: advised\n"
        return try PolicyFile(
            parsing: head + lines.joined(separator: "\n") + "\n", path: "policies/advised.yaml")
    }

    @Test func `names that look like something else in YAML are quoted`() throws {
        let labels = ["on": "true", "a": "1.5", "b": "null", "d": "0x1f", "c": "web-1"]
        let topology = Fixture.topology([
            Fixture.endpoint("x", of: "123", labels: labels, "10.0.0.1"),
            Fixture.endpoint("y", of: "null", "10.0.0.2"),
        ])
        let policies = Fixture.policies([Fixture.tenant("123"), Fixture.tenant("null")], [])
        let flow = try Flow.tcp("10.0.0.1", "10.0.0.2", 80)

        let fix = try #require(policies.explain(flow, in: topology).ends.first?.refusal?.fix)
        let after = try policies.adding(try Self.policy(fix))

        #expect(after.explain(flow, in: topology).isAdmitted, "\(fix)")
    }
}

extension PolicySet {
    fileprivate func adding(_ file: PolicyFile) throws -> PolicySet {
        try PolicySet(checking: Array(files.values) + [file])
    }
}
