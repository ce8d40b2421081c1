/// Which changed policy files are read now, and which later.
///
/// A file waits while a program may still write to it, after it turned empty, and where it is saved so often that
/// it would hold up others.
public struct PolicyFileQueue: Sendable {
    private var deadlines: [String: ContinuousClock.Instant] = [:]
    private var budgets: [String: RateBudget] = [:]
    /// Since when files are empty whose rules are still in force.
    private var emptySince: [String: ContinuousClock.Instant] = [:]

    /// Nothing waits.
    public init() {}

    /// The paths of the files that wait.
    public var waiting: some Collection<String> { deadlines.keys }

    /// Whether nothing waits.
    public var isEmpty: Bool { deadlines.isEmpty }

    /// When a file is due next; nil where none waits.
    public var next: ContinuousClock.Instant? { deadlines.values.min() }

    /// Whether a file waits.
    public func isWaiting(_ path: String) -> Bool { deadlines[path] != nil }

    /// A file was closed after writing, or renamed into place.
    ///
    /// - Returns: Whether to read it now; otherwise it waits for its share.
    public mutating func written(_ path: String, at now: ContinuousClock.Instant) -> Bool {
        let next = budgets[path]?.next(now) ?? now
        deadlines[path] = next > now ? next : nil
        return next <= now
    }

    /// A file changed in a way that more may follow.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - now: The time now.
    ///   - pause: How long it must be left alone.
    public mutating func changed(
        _ path: String, at now: ContinuousClock.Instant, settlingIn pause: Duration
    ) {
        deadlines[path] = max(budgets[path]?.next(now) ?? now, now + pause)
    }

    /// Has a file read at a time, in place of an earlier deadline.
    public mutating func postpone(_ path: String, until deadline: ContinuousClock.Instant) {
        deadlines[path] = deadline
    }

    /// Has a file read at a time, unless it waits already.
    public mutating func plan(_ path: String, at deadline: ContinuousClock.Instant) {
        deadlines[path] = deadlines[path] ?? deadline
    }

    /// Takes the files that are due, in no order.
    public mutating func takeDue(_ now: ContinuousClock.Instant) -> [String] {
        let due = deadlines.filter { $0.value <= now }.map(\.key)
        for path in due { deadlines[path] = nil }
        return due
    }

    /// A file whose rules are in force was found empty.
    ///
    /// - Parameters:
    ///   - path: The file.
    ///   - now: The time now.
    ///   - pause: How long it has to stay empty before that is believed.
    /// - Returns: Whether it is believed now; otherwise the file waits.
    public mutating func foundEmpty(
        _ path: String, at now: ContinuousClock.Instant, settlingIn pause: Duration
    ) -> Bool {
        let since = emptySince[path] ?? now
        guard since + pause > now else {
            emptySince[path] = nil
            return true
        }
        emptySince[path] = since
        deadlines[path] = since + pause
        return false
    }

    /// A file was found with something in it, or gone.
    public mutating func foundNotEmpty(_ path: String) { emptySince[path] = nil }

    /// Charges files for the time that their changes took.
    ///
    /// The first change after a while takes no more than the credit, however long it took: a correction of what was
    /// saved a moment ago isn't kept waiting.
    public mutating func charge(
        _ paths: [String], from start: ContinuousClock.Instant, to end: ContinuousClock.Instant
    ) {
        guard !paths.isEmpty else { return }
        let share = (end - start) / paths.count
        for path in paths {
            var budget = budgets[path] ?? RateBudget(factor: 4, credit: .seconds(1))
            let cost = budget.isPaid(start) ? min(share, .milliseconds(250)) : share
            budget.spend(from: end - cost, to: end)
            budgets[path] = budget
        }
        if budgets.count > 64 { budgets = budgets.filter { !$0.value.isPaid(end) } }
    }
}
