public import NetTypes

/// What was counted one way between two parties within one hour.
public struct HourlyTotal: Hashable, Sendable, Codable {
    /// The hour's first moment.
    public var hour: Timestamp
    public var source: PartyName
    public var destination: PartyName
    public var direction: Direction
    /// Why it was refused; nil if it was admitted.
    public var reason: RefusalReason?
    public var counts: Tally

    /// A total of the hour that a moment lies in.
    public init(
        at moment: Timestamp, source: PartyName, destination: PartyName, direction: Direction,
        reason: RefusalReason? = nil, counts: Tally
    ) {
        self.hour = moment.startOfHour
        self.source = source
        self.destination = destination
        self.direction = direction
        self.reason = reason
        self.counts = counts
    }
}

extension Timestamp {
    /// The first moment of the hour in UTC.
    public var startOfHour: Timestamp {
        let past = milliseconds.flooredDivision(by: 3_600_000).remainder
        let (start, overflow) = milliseconds.subtractingReportingOverflow(past)
        return Timestamp(milliseconds: overflow ? .min : start)
    }
}
