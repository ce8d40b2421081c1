import Compiler
import Foundation
import NetTypes
import Nftables
import Policy
import Rules
import TestSupport
import Testing

/// The kernel's verdicts against those of the reference evaluator, on random policies and packets.
struct VerdictTests {
    /// Over all seeds more than 100,000, unless more are asked for.
    private static let packetsOfSeed =
        ProcessInfo.processInfo.environment["RINGFENCE_PACKETS"].flatMap { Int($0) } ?? 34_000
    private static let packetsOfBatch = 360

    /// Three judges: the evaluator, the endpoint's table, and the host filter's programs.
    @Test(arguments: Seeds.all)
    func `the kernel says what the evaluator says`(_ seed: UInt64) throws {
        let stations = try Station.all(.drop)
        let judge = try HostJudge()
        let world = SmallWorld(stations: stations.map(\.id))
        var random = SeededGenerator(seed: seed)
        var policies = RandomPolicies(seed: random.next())
        var tally = CaseTally()
        var (rereads, renewed) = (0, 0)
        let start = ContinuousClock.now
        while tally.cases < Self.packetsOfSeed {
            // Files only grow by being edited, and the evaluator gets slower with them.
            if tally.cases / 34_000 > renewed {
                renewed = tally.cases / 34_000
                policies = RandomPolicies(seed: random.next())
            }
            if random.once(in: 4) { policies.replaceTenants() } else { _ = policies.edit() }
            let set = try policies.policySet()
            let topology = world.topology(of: set)
            let compilation = Compilation(of: set, for: topology)
            for station in stations {
                guard let endpoint = topology.endpoints.first(where: { $0.id == station.id }),
                    let state = compilation.states[endpoint.id]
                else { continue }
                try enforce(state, at: station, &random)
                let scene = Scene(set, topology, at: endpoint)
                let cases = self.cases(in: scene, world, station, seed: random.next())
                let batch = try Batch(cases, to: station)
                let complaint = try judge.complaint(about: cases, state, in: scene)
                tally.note(cases)
                rereads += batch.rereads
                let place = "seed \(seed), \(tally.cases) packets judged, at \(endpoint.name)"
                let complaints = batch.miscounts + [complaint?.text].compactMap(\.self)
                if batch.misjudged.isEmpty, complaints.isEmpty { continue }
                let item =
                    try batch.misjudged.first ?? complaint?.item
                    ?? Reproduction.culprit(
                        among: cases, of: policies.texts, world: world, at: station, judge)
                let reproduction = try item.map {
                    try Reproduction($0, of: policies.texts, world: world, at: station, judge)
                }
                let first = complaints.prefix(8).joined(separator: "\n")
                Issue.record("\(place):\n\(first)\n\(reproduction?.description ?? "")")
                return
            }
        }
        print("seed \(seed): \(tally) in \(ContinuousClock.now - start)")
        if rereads > 0 { print("seed \(seed): \(rereads) incomplete dumps were read again") }
        #expect(tally.hasMetAll)
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
        in scene: Scene, _ world: SmallWorld, _ station: Station, seed: UInt64
    ) -> [Case] {
        var probes = RandomProbes(
            seed: seed, at: scene.endpoint, in: world, policies: scene.policies)
        var forms = RandomForms(seed: seed ^ 0xf0, at: scene.endpoint, in: world)
        return (0..<Self.packetsOfBatch).compactMap { index in
            probes.probe(index % 2 == 0 ? .ingress : .egress).map { probe in
                let form = forms.form(for: probe)
                return Case(probe, form, number: station.nextNumber(for: form), in: scene)
            }
        }
    }
}
