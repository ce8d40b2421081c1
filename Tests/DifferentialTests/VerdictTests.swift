import Compiler
import NetTypes
import Nftables
import Policy
import Rules
import TestSupport
import Testing

/// The kernel's verdicts against those of the reference evaluator, on random policies and packets.
@Suite(.serialized) struct VerdictTests {
    /// Over all seeds more than 100,000.
    private static let packetsOfSeed = 34_000
    private static let packetsOfBatch = 360

    @Test(arguments: Seeds.all)
    func `the kernel says what the evaluator says`(_ seed: UInt64) throws {
        let stations = try Station.all(.drop)
        let world = SmallWorld(stations: stations.map(\.id))
        var random = SeededGenerator(seed: seed)
        var policies = RandomPolicies(seed: random.next())
        var fates: [String: Int] = [:]
        var (judged, rereads) = (0, 0)
        let start = ContinuousClock.now
        while judged < Self.packetsOfSeed {
            if random.once(in: 4) { policies.replaceTenants() } else { _ = policies.edit() }
            let set = try policies.policySet()
            let topology = world.topology(of: set)
            let compilation = Compilation(of: set, for: topology)
            for station in stations {
                guard let endpoint = topology.endpoints.first(where: { $0.id == station.id }),
                    let state = compilation.states[endpoint.id]
                else { continue }
                try enforce(state, at: station, &random)
                let cases = self.cases(
                    at: endpoint, in: world, set, topology, seed: random.next())
                let batch = try Batch(cases, to: station)
                judged += cases.count
                rereads += batch.rereads
                for item in cases { fates[item.fate.kind, default: 0] += 1 }
                let place = "seed \(seed), \(judged) packets judged, at \(endpoint.name)"
                if let item = batch.misjudged.first {
                    let reproduction = try Reproduction(
                        item, of: policies.texts, world: world, at: station)
                    Issue.record("\(place): \(reproduction)")
                    return
                }
                #expect(batch.miscounts.isEmpty, "\(place)")
                if !batch.miscounts.isEmpty { return }
            }
        }
        let kinds = fates.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
        let time = ContinuousClock.now - start
        print("seed \(seed): \(judged) packets in \(time): \(kinds.joined(separator: ", "))")
        if rereads > 0 { print("seed \(seed): \(rereads) incomplete dumps were read again") }
    }

    /// Any state follows any other: mostly as a delta, at times by a new table or after none.
    private func enforce(
        _ state: EndpointState, at station: Station, _ random: inout SeededGenerator
    ) throws {
        if random.once(in: 8) {
            try station.rebuild(state)
        } else {
            if station.state != nil, random.once(in: 8) { try station.release() }
            try enforceKeepingCounts(state, at: station)
        }
        let reading = try station.table.read()
        #expect(reading?.damage == nil)
        #expect(reading?.state == state)
    }

    /// What goes has told its last count, so nothing that was counted is lost.
    private func enforceKeepingCounts(_ state: EndpointState, at station: Station) throws {
        let before = station.state == nil ? TableCounts() : try station.table.counts()
        let retired = try station.enforce(state)
        let after = try station.table.counts()
        for (mark, count) in before.rules {
            var kept = after.rules[mark] ?? RuleCount()
            kept += retired.rules[mark] ?? RuleCount()
            #expect(kept == count, "counters of \(mark)")
        }
    }

    private func cases(
        at endpoint: Endpoint, in world: SmallWorld, _ policies: PolicySet, _ topology: Topology,
        seed: UInt64
    ) -> [Case] {
        var probes = RandomProbes(seed: seed, at: endpoint, in: world, policies: policies)
        return (0..<Self.packetsOfBatch).compactMap { index in
            probes.probe(index % 2 == 0 ? .ingress : .egress).map { probe in
                Case(
                    probe, number: UInt16(index + 1),
                    fate: policies.fate(of: probe, at: endpoint, in: topology))
            }
        }
    }
}

extension Fate {
    /// For the tally, which shows whether all kinds of fate were met.
    fileprivate var kind: String {
        switch self {
        case .admitted: "admitted"
        case .loopback: "loopback"
        case .refused(let reason): reason.rawValue
        }
    }
}
