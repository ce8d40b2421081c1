import Compiler
import NetTypes
import Policy
import Rules
import TestSupport
import Testing

/// On the way from one state to the next, what neither admits never passes, and what both admit
/// never waits.
///
/// The kernel is played as it was found: at the end of a transaction everything is in place at once,
/// but for the maps of ranges, which follow a moment later.
@Suite struct StagesTests {
    @Test(arguments: Seeds.all)
    func `a change of rules lets nothing in or out on its way`(_ seed: UInt64) throws {
        var files = RandomPolicies(seed: seed)
        var tally = Tally()
        var set = try files.policySet()
        for _ in 1...25 {
            let before = set
            _ = files.edit()
            set = try files.policySet()
            try walk(from: before, to: set, seed, &tally)
        }
        #expect(tally.lost == 0 && tally.leaked == 0, "seed \(seed): \(tally)")
        #expect(tally.steps > 50 && tally.admitted > 200 && tally.refused > 500, "\(tally)")
        #expect(tally.mixed > 0, "no port became a part of a range: \(tally)")
    }

    @Test(arguments: Seeds.all)
    func `nor does one of rules and tenants together`(_ seed: UInt64) throws {
        var files = RandomPolicies(seed: seed)
        var tally = Tally()
        var set = try files.policySet()
        for _ in 1...8 {
            let before = set
            files.replaceTenants()
            _ = files.edit()
            set = try files.policySet()
            try walk(from: before, to: set, seed, &tally)
        }
        #expect(tally.lost == 0 && tally.leaked == 0, "seed \(seed): \(tally)")
    }

    private struct Tally {
        var steps = 0, mixed = 0
        var admitted = 0, refused = 0
        var lost = 0, leaked = 0
    }

    private let world = SmallWorld()

    private func walk(
        from before: PolicySet, to after: PolicySet, _ seed: UInt64, _ tally: inout Tally
    ) throws {
        let old = Compilation(of: before, for: world.topology(of: before))
        let new = Compilation(of: after, for: world.topology(of: after))
        for (id, next) in new.states {
            guard let held = old.states[id], held != next,
                let endpoint = new.endpoint(id) ?? old.endpoint(id)
            else { continue }
            let stages = next.changes(from: held).stages
            if stages.count == 4 { tally.mixed += 1 }
            var probes: [Probe] = []
            for (number, policies) in [before, after].enumerated() {
                var random = RandomProbes(
                    seed: seed &+ UInt64(tally.steps + number), at: endpoint, in: world,
                    policies: policies)
                probes += (0..<60).compactMap {
                    random.probe($0.isMultiple(of: 2) ? .ingress : .egress)
                }
            }
            var state = held
            for stage in stages {
                let reached = state.applying(stage)
                var switching = reached
                switching.ingress = reached.ingress.filter(\.isSingle) + state.ingress.ranges
                switching.egress = reached.egress.filter(\.isSingle) + state.egress.ranges
                for probe in probes {
                    let (was, will) = (held.admits(probe), next.admits(probe))
                    for moment in [switching, reached] {
                        let passes = moment.admits(probe)
                        if was && will && !passes { tally.lost += 1 }
                        if !was && !will && passes { tally.leaked += 1 }
                    }
                    if was && will { tally.admitted += 1 }
                    if !was && !will { tally.refused += 1 }
                }
                state = reached
                tally.steps += 1
            }
            state.ingress.sort()
            state.egress.sort()
            #expect(state == next, "seed \(seed)")
        }
    }
}

extension [Admission] {
    fileprivate var ranges: [Admission] { filter { !$0.isSingle } }
}

extension EndpointState {
    /// What the table holds after one transaction.
    fileprivate func applying(_ changes: Changeset) -> EndpointState {
        func apply<Element>(
            _ delta: Changeset.Delta<Element>, to elements: [Element]
        ) -> [Element] {
            elements.filter { !delta.removed.contains($0) } + delta.added
        }
        return EndpointState(
            own: apply(changes.own, to: own).sorted(),
            peers4: apply(changes.peers4, to: peers4)
                .sorted { $0.addresses.lowerBound < $1.addresses.lowerBound },
            peers6: apply(changes.peers6, to: peers6)
                .sorted { $0.addresses.lowerBound < $1.addresses.lowerBound },
            ingress: apply(changes.ingress, to: ingress),
            egress: apply(changes.egress, to: egress),
            rules: RuleTable(
                apply(changes.rules, to: rules.entries).map { (mark: $0.mark, rule: $0.rule) }))
    }

    /// A single port is looked up first, as in the chains.
    fileprivate func admits(_ probe: Probe) -> Bool {
        let peer = probe.direction == .egress ? probe.flow.destination : probe.flow.source
        let peerClass =
            switch peer {
            case .v4(let number): peers4.first { $0.addresses.contains(number) }?.peerClass
            case .v6(let number): peers6.first { $0.addresses.contains(number) }?.peerClass
            }
        let found = admissions(probe.direction).filter {
            $0.peerClass == peerClass && $0.protocols.contains(probe.flow.ipProtocol.rawValue)
                && $0.ports.contains(probe.flow.destinationPort)
        }
        let admission = found.first(where: \.isSingle) ?? found.first
        return admission.map { rules[$0.rule] != nil } ?? false
    }
}
