import Compiler
import NetTypes
import Policy
import Rules
import TestSupport
import Testing

/// What the maps say, against the reference evaluator; no kernel is asked.
@Suite struct MeaningTests {
    @Test(arguments: Seeds.all)
    func `the maps admit what the policies admit, by the same rule`(_ seed: UInt64) throws {
        let world = SmallWorld()
        var random = SeededGenerator(seed: seed)
        for _ in 1...12 {
            let files = RandomPolicies(seed: random.next())
            let set = try files.policySet()
            let topology = world.topology(of: set)
            let compilation = Compilation(of: set, for: topology)
            for endpoint in topology.endpoints {
                let state = try #require(compilation.states[endpoint.id])
                var probes = RandomProbes(
                    seed: random.next(), at: endpoint, in: world, policies: set)
                for index in 0..<100 {
                    guard let probe = probes.probe(index % 2 == 0 ? .ingress : .egress) else {
                        break
                    }
                    let verdict = set.verdict(
                        for: probe.flow, at: endpoint, direction: probe.direction, in: topology)
                    if verdict == .loopback { continue }
                    let rule = state.rule(for: probe)
                    #expect(rule?.id == verdict.rule?.id, "seed \(seed): \(probe)")
                }
            }
        }
    }

    @Test(arguments: Seeds.all) func `states are well formed`(_ seed: UInt64) throws {
        let world = SmallWorld()
        var random = SeededGenerator(seed: seed)
        for _ in 1...40 {
            let set = try RandomPolicies(seed: random.next()).policySet()
            for (id, state) in Compilation(of: set, for: world.topology(of: set)).states {
                #expect(state.isWellFormed, "seed \(seed), \(id)")
            }
        }
    }
}

extension EndpointState {
    fileprivate var isWellFormed: Bool {
        let classes = Set(peers4.map(\.peerClass) + peers6.map(\.peerClass))
        let admissions = ingress + egress
        return own == Set(own).sorted() && isDisjoint(peers4) && isDisjoint(peers6)
            && isDisjoint(ingress) && isDisjoint(egress)
            && classes.allSatisfy { !$0.isRule && $0.rawValue != 0 }
            && rules.keys.allSatisfy(\.isRule)
            && admissions.allSatisfy { classes.contains($0.peerClass) }
            && ingress.allSatisfy { rules[$0.rule]?.direction == .ingress }
            && egress.allSatisfy { rules[$0.rule]?.direction == .egress }
            && Set(rules.values.map { "\($0.id) \($0.direction)" }).count == rules.count
    }

    /// Ascending, and no two ranges share an address.
    private func isDisjoint<Number>(_ ranges: [PeerRange<Number>]) -> Bool {
        zip(ranges, ranges.dropFirst()).allSatisfy {
            $0.addresses.upperBound < $1.addresses.lowerBound
        }
    }

    private func isDisjoint(_ admissions: [Admission]) -> Bool {
        admissions == admissions.sorted()
            && admissions.indices.allSatisfy { index in
                admissions[..<index].allSatisfy { !$0.overlaps(admissions[index]) }
            }
    }
}

extension Admission {
    fileprivate func overlaps(_ other: Admission) -> Bool {
        peerClass == other.peerClass && protocols.overlaps(other.protocols)
            && ports.overlaps(other.ports)
    }
}
