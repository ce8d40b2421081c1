public import NetTypes

/// Which endpoints' refused flows are read, and when.
///
/// A sender can be refused as fast as it likes, at one endpoint or at all of them; each endpoint and all together have
/// a budget for being read because of it.
public struct RefusalPolling: Sendable {
    private var deadlines: [NamespaceID: ContinuousClock.Instant] = [:]
    private var budgets: [NamespaceID: RateBudget] = [:]
    private var all = RateBudget(factor: 2, least: .zero)

    /// Nothing is to be read.
    public init() {}

    /// The kernel logged a packet that an endpoint refused.
    ///
    /// - Returns: Whether to read it now; otherwise it is due later.
    public mutating func logged(_ id: NamespaceID, at now: ContinuousClock.Instant) -> Bool {
        let next = max(budgets[id]?.next(now) ?? now, all.next(now))
        guard next > now else { return true }
        deadlines[id] = min(deadlines[id] ?? next, next)
        return false
    }

    /// Has an endpoint read at a time, in place of an earlier deadline.
    public mutating func schedule(_ id: NamespaceID, at deadline: ContinuousClock.Instant) {
        deadlines[id] = deadline
    }

    /// Takes the endpoint that has been due for longest; nil where none is, or the budget of all is used up.
    public mutating func takeDue(_ now: ContinuousClock.Instant) -> NamespaceID? {
        guard all.next(now) <= now else { return nil }
        let due = deadlines.filter { $0.value <= now }.min {
            ($0.value, $0.key) < ($1.value, $1.key)
        }
        guard let due else { return nil }
        deadlines[due.key] = nil
        return due.key
    }

    /// Charges for a reading.
    public mutating func charge(
        _ id: NamespaceID, from start: ContinuousClock.Instant, to end: ContinuousClock.Instant
    ) {
        budgets[id, default: RateBudget()].spend(from: start, to: end)
        all.spend(from: start, to: end)
    }

    /// Forgets an endpoint that is gone.
    public mutating func forget(_ id: NamespaceID) {
        deadlines[id] = nil
        budgets[id] = nil
    }

    /// When something can be read next; nil where nothing is to be.
    public func next(_ now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
        deadlines.values.min().map { max($0, all.next(now)) }
    }
}
