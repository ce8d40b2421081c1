import NetTypes
import Policy
import Reports
import Testing

extension KernelTests {
    /// A record says why, which rule comes closest, and what that rule lacks.
    @Suite struct ViolationTests {
        /// What is sent from one namespace to another, and what the record has to say.
        struct Call: Sendable, CustomTestStringConvertible {
            let testDescription: String
            let source: String
            let destination: String
            let port: UInt16
            /// What the only rule allows.
            let service: String
            /// Whether the rule names the called end by its address only.
            var isHalf = false
            let lack: String
            var direction = Direction.egress
        }

        private static let calls = [
            Call(
                testDescription: "another port", source: "a1", destination: "b1", port: 7001,
                service: PolicyText.udp("7000"), lack: "port 7001 is not among 7000"),
            Call(
                testDescription: "another protocol", source: "a1", destination: "b1", port: 5432,
                service: PolicyText.tcp("5432"), lack: "protocol udp; the rule allows tcp"),
            Call(
                testDescription: "the other way", source: "b1", destination: "a1", port: 7000,
                service: PolicyText.udp("7000"), lack: "the flow went the other way"),
            Call(
                testDescription: "open at one end only", source: "a1", destination: "b1",
                port: 7100, service: PolicyText.udp("7100"), isHalf: true,
                lack: "only egress is open here", direction: .ingress),
        ]

        @Test(arguments: calls)
        func `what the closest rule lacks`(_ call: Call) async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                let text =
                    try call.isHalf
                    ? PolicyText.policy(
                        call.service, to: "{cidr: \(rig.address("b1", .v4))/32}")
                    : PolicyText.policy(call.service)
                try rig.write(text, to: "a.yaml")
                try await rig.withAgent { agent in
                    let generation = await agent.generation()
                    try await Flood(flows: 3, packetsPerFlow: 2, payload: 16).send(
                        from: call.source, to: call.destination, .v4, port: call.port, in: rig)

                    let found = await agent.violations().filter {
                        $0.ports?.destination == call.port && $0.direction == call.direction
                    }
                    #expect(found.count == 3)
                    for violation in found {
                        #expect(violation.reason == .noRule && violation.layer == .nftables)
                        #expect(violation.source.endpoint == call.source)
                        #expect(violation.destination.endpoint == call.destination)
                        #expect(violation.packets == 2 && violation.bytes == 2 * 44)
                        #expect(violation.generation == generation)
                        #expect(violation.first <= violation.last)
                        let closest = try #require(violation.closest)
                        #expect(closest.lack.contains(call.lack), "\(closest.lack)")
                        #expect(closest.rule?.place.file == rig.file("a.yaml"))
                        #expect(!closest.fix.isEmpty)
                    }
                }
            }
        }
    }
}
