internal import Reports

/// Rows that are written in one transaction.
struct Batch: Sendable {
    /// What makes two totals the same one; its counts are none.
    typealias Pair = HourlyTotal

    var violations: [ViolationKey: ViolationRecord] = [:]
    var totals: [Pair: Tally] = [:]
    var generations: [GenerationRecord] = []
    var drift: [DriftRecord] = []
    var runs: [AgentRun] = []

    /// A generation names every policy file, so few wait.
    static let generationLimit = 64
    static let runLimit = 16

    var rows: Int {
        violations.count + totals.count + generations.count + drift.count + runs.count
    }

    var isEmpty: Bool { rows == 0 }

    mutating func add(_ total: HourlyTotal) {
        var pair = total
        pair.counts = Tally()
        let sum = totals[pair, default: Tally()]
        totals[pair] = Tally(
            packets: sum.packets.addingClamped(total.counts.packets),
            bytes: sum.bytes.addingClamped(total.counts.bytes),
            flows: sum.flows.addingClamped(total.counts.flows))
    }

    func holds(_ total: HourlyTotal) -> Bool {
        var pair = total
        pair.counts = Tally()
        return totals[pair] != nil
    }
}

extension UInt64 {
    fileprivate func addingClamped(_ other: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
