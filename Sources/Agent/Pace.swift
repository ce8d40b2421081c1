/// How often something may be done that takes time: at once as long as it is seldom, and in a small
/// share of the time where somebody never stops asking for it.
///
/// Each time is paid for with a pause, but only when what is unpaid comes to more than the
/// credit: the virtual scheduling of ITU-T I.371.
struct Pace {
    /// Each pause is so many times as long as the work was.
    private let factor: Int
    /// The least pause that is owed for any work.
    private let least: Duration
    private let credit: Duration

    /// When everything that was done is paid for.
    private var paid: ContinuousClock.Instant?

    init(
        factor: Int = 8, least: Duration = .milliseconds(20), credit: Duration = .milliseconds(200)
    ) {
        self.factor = factor
        self.least = least
        self.credit = credit
    }

    /// When it may be done again; the past where it may be done now.
    func next(_ now: ContinuousClock.Instant) -> ContinuousClock.Instant {
        paid.map { $0 - credit } ?? now
    }

    /// Something was done.
    mutating func spend(from start: ContinuousClock.Instant, to end: ContinuousClock.Instant) {
        paid = max(paid ?? end, end) + max(least, (end - start) * factor)
    }

    /// Whether nothing is owed any more, so that nothing has to be remembered.
    func isPaid(_ now: ContinuousClock.Instant) -> Bool { paid.map { $0 <= now } ?? true }
}
