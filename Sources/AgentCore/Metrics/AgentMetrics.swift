public import Reports

/// What the agent counts about itself.
public struct AgentMetrics: Sendable {
    /// How long generations took to be written, in seconds.
    public private(set) var applyTimes = Histogram()
    /// How long changes took from being saved to being in force, in seconds.
    public private(set) var savedToEnforced = Histogram()
    /// The last generation.
    public private(set) var lastApply: ApplyStatus?
    /// Mistakes found in policy files.
    public var parseErrors: UInt64 = 0
    /// Messages of the kernel that were lost.
    public var lost = LostEvents()
    /// Drift that was repaired.
    public private(set) var driftRepairs: UInt64 = 0
    /// Drift that was found, by kind.
    public private(set) var drift: [DriftRecord.Kind: UInt64] = [:]
    /// What was last told to be refused and in no pair: it never shrinks.
    private var toldNotRecorded = Tally()

    /// Nothing has happened.
    public init() {}

    /// A generation is about to be told.
    public mutating func applying(_ apply: ApplyStatus) { lastApply = apply }

    /// A generation is in force.
    ///
    /// - Parameters:
    ///   - apply: How long it took.
    ///   - delay: How long its oldest change took from being saved; nil where nothing was saved.
    public mutating func applied(_ apply: ApplyStatus, savedBefore delay: Duration?) {
        applyTimes.record(apply.applyMilliseconds / 1000)
        if let delay { savedToEnforced.record(delay / .seconds(1)) }
    }

    /// Drift was found.
    ///
    /// - Parameters:
    ///   - kind: What was changed.
    ///   - times: How often.
    ///   - isRepaired: Whether it is as it should be again.
    public mutating func drifted(_ kind: DriftRecord.Kind, times: UInt64, isRepaired: Bool) {
        drift[kind, default: 0] += times
        if isRepaired { driftRepairs += max(times, 1) }
    }

    /// What was refused and is in no pair.
    ///
    /// - Parameter found: What two readings say, one after the other: packets that come in between make it too small
    ///   for a moment, never too large.
    /// - Returns: The greatest that was found, which is the nearest to the truth.
    public mutating func notRecorded(_ found: Tally) -> Tally {
        toldNotRecorded = Tally(
            packets: max(found.packets, toldNotRecorded.packets),
            bytes: max(found.bytes, toldNotRecorded.bytes))
        return toldNotRecorded
    }
}
