import NetTypes
import Nftables
import Rules
import TestSupport

/// Packets sent to one station, and all that the kernel says about them.
struct Batch {
    let cases: [Case]
    private let before: TableCounts
    private let after: TableCounts
    private let passed: Passed
    private let forgotten: [RefusedFlow: Count]
    private let rules: RuleTable
    /// How often the sets had to be read again.
    let rereads: Int

    /// Sends the packets; no flow of one case is known to another.
    init(_ cases: [Case], to station: Station) throws {
        self.cases = cases
        rules = station.state?.rules ?? [:]
        before = try station.table.counts()
        for item in cases { try station.send(item) }
        station.drain()
        try station.forgetFlows()
        (after, rereads) = try station.counts(since: before)
        passed = try station.observer.passed()
        forgotten = try station.table.forget(Array(after.refused.keys)).refused
    }

    /// The cases of which something has another fate in the kernel.
    var misjudged: [Case] { cases.filter { !hasPassed($0).wrong.isEmpty } }

    /// The numbers of a case that came through, and those that should have met another fate.
    func hasPassed(_ item: Case) -> (numbers: [UInt16], wrong: [UInt16]) {
        let expected = Set(item.arrivals.filter(\.fate.passes).map(\.number))
        let found = Set(
            item.steps.filter { passed.contains($0.packet, $0.direction) }.map(\.packet.number))
        return (found.sorted(), expected.symmetricDifference(found).sorted())
    }

    /// Every way in which the kernel's counters contradict the evaluator, in words.
    var miscounts: [String] { flows + traffic + refusals + sums }

    private var arrivals: [Case.Arrival] { cases.flatMap(\.arrivals) }

    /// Flows by the rule that admitted them.
    private var flows: [String] {
        differences("flows of rule", credits { $0.opensFlow }, counted(\.flows))
    }

    /// Packets by the rule; nothing answers.
    private var traffic: [String] {
        differences("packets of rule", credits { _ in true }, counted(\.traffic.packets))
    }

    private func credits(_ isMeant: (Case.Arrival) -> Bool) -> [Credit: UInt64] {
        arrivals.filter(isMeant).compactMap(\.credit).reduce(into: [:]) {
            $0[$1, default: 0] += 1
        }
    }

    private func counted(_ number: KeyPath<RuleCount, UInt64>) -> [Credit: UInt64] {
        var result: [Credit: UInt64] = [:]
        for (mark, count) in after.rules {
            let moved = count[keyPath: number] - (before.rules[mark]?[keyPath: number] ?? 0)
            guard moved > 0, let rule = rules[mark] else { continue }
            result[Credit(rule: rule.id, direction: rule.direction), default: 0] += moved
        }
        return result
    }

    /// Refused flows, key by key, as they were read and as they were when they were forgotten.
    private var refusals: [String] {
        let kept = expected.merging(unlucky) { $0 - $1 }.filter { $0.value > 0 }
        return differences("refused flow", kept, after.refused.mapValues(\.packets))
            + differences("forgotten flow", kept, forgotten.mapValues(\.packets))
    }

    private var expected: [RefusedFlow: UInt64] {
        arrivals.compactMap(\.refusedFlow).reduce(into: [:]) { $0[$1, default: 0] += 1 }
    }

    private var unkept: UInt64 {
        Refusal.allCases.reduce(UInt64(0)) { sum, reason in
            sum + (after.unkept[reason]?.packets ?? 0) - (before.unkept[reason]?.packets ?? 0)
        }
    }

    /// Packets whose flows the kernel had no room for while it grew a set: one now and then, on a busy
    /// machine, and each is counted as not kept.
    private var unlucky: [RefusedFlow: UInt64] {
        let missing = expected.merging(after.refused.mapValues(\.packets)) {
            $0 - min($0, $1)
        }.filter { expected[$0.key] != nil && $0.value > 0 }
        let sum = missing.values.reduce(0, +)
        let isCounted = unkept == UInt64(arrivals.filter(\.isUnkept).count) + sum
        return isCounted && sum <= 1 + UInt64(arrivals.count) / 200 ? missing : [:]
    }

    /// What came in whole must have gone one way or the other.
    private var sums: [String] {
        let refused = after.refusedPackets - before.refusedPackets
        let due = UInt64(arrivals.filter(\.isUnkept).count) + unlucky.values.reduce(0, +)
        let known = passed.count + Int(refused)
        // What passes more than once is seen once.
        let passing = Set(arrivals.filter(\.fate.passes).map(\.number))
        let sent = passing.count + arrivals.filter { !$0.fate.passes }.count
        return (known == sent ? [] : ["\(sent) expected, \(known) seen"])
            + (unkept == due ? [] : ["\(unkept) refused packets were not kept"])
    }

    private func differences<Key: Hashable>(
        _ what: String, _ expected: [Key: UInt64], _ found: [Key: UInt64]
    ) -> [String] {
        Set(expected.keys).union(found.keys).filter { expected[$0] != found[$0] }.map {
            "\(what) \($0): expected \(expected[$0] ?? 0), found \(found[$0] ?? 0)"
        }.sorted()
    }
}
