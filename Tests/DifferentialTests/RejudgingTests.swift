import Compiler
import NetTypes
import Nftables
import Policy
import Rules
import TestSupport
import Testing

/// After every change of the policies, an established flow goes on exactly if they still admit it.
@Suite(.serialized) struct RejudgingTests {
    private static let changes = 40
    private static let flowsOfStation = 60

    @Test(arguments: Seeds.all)
    func `a flow goes on as long as some rule admits it`(_ seed: UInt64) throws {
        let stations = try Station.all(.accept)
        let world = SmallWorld(stations: stations.map(\.id))
        var random = SeededGenerator(seed: seed)
        var policies = RandomPolicies(seed: random.next())
        var flows: [NamespaceID: [EstablishedFlow]] = [:]
        var tally = Tally()
        var compilation: Compilation?
        for change in 1...Self.changes {
            let edited = edit(&policies, &random)
            let set = try policies.policySet()
            let topology = world.topology(of: set)
            let next = following(compilation, set, topology, edited)
            compilation = next
            for station in stations {
                guard let endpoint = next.endpoint(station.id), !endpoint.addresses.isEmpty
                else { continue }
                try station.enforce(next.states[endpoint.id] ?? .closed)
                var known = flows[endpoint.id] ?? []
                open(&known, at: endpoint, in: world, set, topology, seed: random.next())
                let trouble = try send(&known, to: station, endpoint, set, topology, &tally)
                flows[endpoint.id] = known
                #expect(trouble.isEmpty, "seed \(seed), change \(change), at \(endpoint.name)")
                if !trouble.isEmpty { return }
            }
        }
        print(
            """
            seed \(seed): \(tally.packets) packets; \(tally.continued) went on, \(tally.revoked) \
            were revoked, \(tally.readmitted) came back
            """)
        #expect(tally.continued > 0 && tally.revoked > 0 && tally.readmitted > 0)
    }

    private struct Tally {
        var packets = 0
        var continued = 0
        var revoked = 0
        var readmitted = 0
        var isRevoked: Set<Probe> = []

        mutating func note(_ probe: Probe, _ step: EstablishedFlow.Step) {
            packets += 1
            if step.refusedFlow?.reason == .revoked {
                revoked += 1
                isRevoked.insert(probe)
            } else if step.passes {
                if isRevoked.remove(probe) == nil { continued += 1 } else { readmitted += 1 }
            }
        }
    }

    /// Mostly policies, at times the tenants; nil means everything.
    private func edit(
        _ policies: inout RandomPolicies, _ random: inout SeededGenerator
    ) -> Set<String>? {
        guard random.once(in: 6) else { return policies.edit() }
        policies.replaceTenants()
        return nil
    }

    private func following(
        _ before: Compilation?, _ set: PolicySet, _ topology: Topology, _ changed: Set<String>?
    ) -> Compilation {
        guard let before, let changed, before.topology == topology else {
            return Compilation(of: set, for: topology)
        }
        var next = before
        _ = next.follow(set, changed: changed)
        return next
    }

    /// Adds flows until there are enough; those that the policies admit are the better half.
    private func open(
        _ flows: inout [EstablishedFlow], at endpoint: Endpoint, in world: SmallWorld,
        _ policies: PolicySet, _ topology: Topology, seed: UInt64
    ) {
        var probes = RandomProbes(seed: seed, at: endpoint, in: world, policies: policies)
        for round in 0..<160 where flows.count < Self.flowsOfStation {
            guard let probe = probes.probe(round % 2 == 0 ? .ingress : .egress),
                probe.flow.ipProtocol == .udp,
                !probe.flow.destination.isMulticastOrBroadcast
            else { continue }
            switch policies.fate(of: probe, at: endpoint, in: topology) {
            case .admitted: flows.append(EstablishedFlow(probe: probe))
            case .refused(.refused) where round % 4 == 0:
                flows.append(EstablishedFlow(probe: probe))
            default: continue
            }
        }
    }

    /// Sends a packet or two of every flow; gives what the kernel did otherwise, in words.
    private func send(
        _ flows: inout [EstablishedFlow], to station: Station, _ endpoint: Endpoint,
        _ policies: PolicySet, _ topology: Topology, _ tally: inout Tally
    ) throws -> [String] {
        var steps: [(probe: Probe, step: EstablishedFlow.Step)] = []
        let before = try station.table.counts()
        for index in flows.indices {
            let made = flows[index].steps(
                number: UInt16(2 * index + 1), at: endpoint, in: policies, topology)
            for step in made {
                try station.send(step.packet, step.direction)
                steps.append((flows[index].probe, step))
                tally.note(flows[index].probe, step)
            }
        }
        station.drain()
        let passed = try station.observer.passed()
        let all = try station.counts(since: before).0.refused
        _ = try station.table.forget(Array(all.keys))
        // Nobody listens in the namespace, which says so by ICMP.
        let refused = all.filter { $0.key.ipProtocol == IPProtocol.udp.rawValue }
        let wrong = steps.filter { passed.contains($1.packet, $1.direction) != $1.passes }.map {
            "\($0): its packet \($1.direction) should \($1.passes ? "pass" : "be refused")"
        }
        let expected = steps.compactMap(\.step.refusedFlow).reduce(into: [:]) {
            $0[$1, default: UInt64(0)] += 1
        }
        let unlike = Set(expected.keys).union(refused.keys)
            .filter { expected[$0] != refused[$0]?.packets }
            .map { "\($0): expected \(expected[$0] ?? 0), found \(refused[$0]?.packets ?? 0)" }
        return wrong + unlike
    }
}
