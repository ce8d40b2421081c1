import Compiler
import NetTypes
import Policy
import Rules
import TestSupport
import Testing

/// The compiled state says to messages of DHCP what the reference evaluator says.
@Suite struct DHCPTests {
    private static let peers: [IPAddress] =
        [
            "10.1.0.1", "10.1.0.2", "10.2.0.1", "192.0.2.9", "10.0.0.1", "8.8.8.8",
            "255.255.255.255", "fd00:1::1", "fe80::2", "fd00::1", "ff02::1:2", "2001:db8::1",
        ].compactMap { IPAddress($0) }

    private static let ports: [(from: UInt16, to: UInt16)] = [
        (67, 68), (68, 67), (547, 546), (546, 547), (1067, 68), (67, 69), (68, 68), (1546, 547),
    ]

    private func probes(of endpoint: Endpoint) -> [Probe] {
        let near = endpoint.addresses + [.v4(0)]
        return Self.ports.flatMap { ports in
            Self.peers.flatMap { far in
                near.filter { $0.family == far.family }.flatMap { near in
                    [Direction.egress, .ingress].map { direction in
                        let isEgress = direction == .egress
                        return Probe(
                            direction: direction,
                            flow: Flow(
                                source: isEgress ? near : far, destination: isEgress ? far : near,
                                ipProtocol: .udp, sourcePort: ports.from,
                                destinationPort: ports.to))
                    }
                }
            }
        }
    }

    @Test(arguments: Seeds.all)
    func `random policies`(_ seed: UInt64) throws {
        let world = SmallWorld()
        var random = SeededGenerator(seed: seed)
        var admitted = 0
        for _ in 1...12 {
            var files = RandomPolicies(seed: random.next())
            _ = files.edit()
            let set = try files.policySet()
            let topology = world.topology(of: set)
            let states = Compilation(of: set, for: topology).states
            for endpoint in topology.endpoints {
                guard let state = states[endpoint.id] else { continue }
                for probe in probes(of: endpoint) {
                    let verdict = set.verdict(
                        for: probe.flow, at: endpoint, direction: probe.direction, in: topology)
                    if verdict == .loopback { continue }
                    let rule = state.rule(for: probe)
                    #expect(rule?.id == verdict.rule?.id, "seed \(seed): \(probe)")
                    if verdict.rule?.service.isDHCP ?? false { admitted += 1 }
                }
            }
        }
        #expect(admitted > 0)
    }
}
