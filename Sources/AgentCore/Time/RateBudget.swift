/// How often something may be done that takes time: at once as long as it is seldom, and in a small share of the
/// time where it is asked for without end.
///
/// Each time is paid for with a pause, but only when what is unpaid comes to more than the credit: the virtual
/// scheduling of ITU-T I.371.
public struct RateBudget: Hashable, Sendable {
    private let factor: Int
    private let least: Duration
    private let credit: Duration
    /// When everything that was done is paid for.
    private var paid: ContinuousClock.Instant?

    /// - Parameters:
    ///   - factor: How many times as long as the work each pause is.
    ///   - least: The least pause that is owed for any work.
    ///   - credit: How much may be unpaid before anything waits.
    public init(
        factor: Int = 8, least: Duration = .milliseconds(20), credit: Duration = .milliseconds(200)
    ) {
        self.factor = factor
        self.least = least
        self.credit = credit
    }

    /// When it may be done again; the past where it may be done now.
    public func next(_ now: ContinuousClock.Instant) -> ContinuousClock.Instant {
        paid.map { $0 - credit } ?? now
    }

    /// Charges for work.
    public mutating func spend(
        from start: ContinuousClock.Instant, to end: ContinuousClock.Instant
    ) {
        paid = max(paid ?? end, end) + max(least, (end - start) * factor)
    }

    /// Whether nothing is owed any more, so that nothing has to be remembered.
    public func isPaid(_ now: ContinuousClock.Instant) -> Bool { paid.map { $0 <= now } ?? true }
}
