/// How often something may be done that takes time: at once as long as it is seldom, and in a small
/// share of the time where somebody never stops asking for it.
///
/// Each time is paid for with a pause, but only when what is unpaid comes to more than the
/// credit: the virtual scheduling of ITU-T I.371.
struct Pace {
    /// Each pause is so many times as long as the work was.
    private static let factor = 8
    /// The least pause that is owed for any work.
    private static let least = Duration.milliseconds(20)
    private static let credit = Duration.milliseconds(200)

    /// When everything that was done is paid for.
    private var paid: ContinuousClock.Instant?

    /// When it may be done again; the past where it may be done now.
    func next(_ now: ContinuousClock.Instant) -> ContinuousClock.Instant {
        paid.map { $0 - Self.credit } ?? now
    }

    /// Something was done.
    mutating func spend(from start: ContinuousClock.Instant, to end: ContinuousClock.Instant) {
        paid = max(paid ?? end, end) + max(Self.least, (end - start) * Self.factor)
    }
}
