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

    /// Sends the packets, each one the first of its flow.
    init(_ cases: [Case], to station: Station) throws {
        self.cases = cases
        rules = station.state?.rules ?? [:]
        before = try station.table.counts()
        for item in cases { try station.send(item.packet, item.probe.direction) }
        (after, rereads) = try station.counts(since: before)
        passed = try station.observer.passed()
        forgotten = try station.table.forget(Array(after.refused.keys)).refused
    }

    /// The packets whose fate in the kernel is another one.
    var misjudged: [Case] {
        cases.filter { $0.fate.passes != passed.contains($0.packet, $0.probe.direction) }
    }

    /// Every way in which the kernel's counters contradict the evaluator, in words.
    var miscounts: [String] { flows + traffic + refusals + sums }

    /// Flows by the rule that admitted them.
    private var flows: [String] { differences("flows of rule", expected, counted(\.flows)) }

    /// Packets by the rule; nothing answers, so every flow is one packet.
    private var traffic: [String] {
        differences("packets of rule", expected, counted(\.traffic.packets))
    }

    private var expected: [Credit: UInt64] {
        cases.reduce(into: [:]) { result, item in
            if let credit = item.credited { result[credit, default: 0] += 1 }
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
        let expected: [RefusedFlow: UInt64] = cases.reduce(into: [:]) { result, item in
            if let flow = item.refusedFlow { result[flow, default: 0] += 1 }
        }
        return differences("refused flow", expected, after.refused.mapValues(\.packets))
            + differences("forgotten flow", expected, forgotten.mapValues(\.packets))
    }

    /// What came in must have gone one way or the other.
    private var sums: [String] {
        let refused = after.refusedPackets - before.refusedPackets
        let unkept = Refusal.allCases.reduce(UInt64(0)) { sum, reason in
            sum + (after.unkept[reason]?.packets ?? 0) - (before.unkept[reason]?.packets ?? 0)
        }
        let known = passed.count + Int(refused)
        return (known == cases.count ? [] : ["\(cases.count) sent, \(known) seen"])
            + (unkept == 0 ? [] : ["\(unkept) refused packets were not kept"])
    }

    private func differences<Key: Hashable>(
        _ what: String, _ expected: [Key: UInt64], _ found: [Key: UInt64]
    ) -> [String] {
        Set(expected.keys).union(found.keys).filter { expected[$0] != found[$0] }.map {
            "\(what) \($0): expected \(expected[$0] ?? 0), found \(found[$0] ?? 0)"
        }.sorted()
    }
}
