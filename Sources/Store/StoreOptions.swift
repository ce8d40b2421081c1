public import NetTypes

/// Where history is kept, for how long, and how much waits in memory.
public struct StoreOptions: Sendable {
    /// The agent's state directory.
    public var directory: String
    public var retention = Retention()
    /// How many rows wait for the disk at most; what comes beyond is counted as lost.
    public var pendingRows = 20_000
    /// How many rows of a table are kept in memory at most while the file can't be used.
    public var memoryRows = 20_000
    /// How long rows wait for others, so that one transaction serves many.
    public var gathering = Duration.milliseconds(200)
    /// How long a file that couldn't be used is left alone.
    public var retry = Duration.seconds(30)
    /// How long another process may hold the file's lock before it counts as unusable.
    public var patience = Duration.seconds(2)
    /// How often rows that are too old are looked for.
    public var pruning = Duration.seconds(60)

    public init(directory: String = "/var/lib/ringfence") { self.directory = directory }

    /// The file that history is kept in; its log is beside it, with `-wal` and `-shm` behind its
    /// name.
    public var path: String { directory + "/history.sqlite" }
}

/// What may stay.
public struct Retention: Hashable, Sendable {
    /// What ended longer ago goes.
    public var age: Duration
    /// How large the file may be; above it the oldest go, violations first.
    public var bytes: Int64

    public init(age: Duration = .seconds(90 * 86_400), bytes: Int64 = 512 << 20) {
        self.age = age
        self.bytes = bytes
    }
}

extension Duration {
    /// Whole milliseconds, at most what fits.
    var milliseconds: Int64 {
        let (seconds, attoseconds) = components
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1000)
        guard !overflow else { return seconds < 0 ? .min : .max }
        return whole.addingReportingOverflow(attoseconds / 1_000_000_000_000_000).partialValue
    }

    var seconds: Double { Double(milliseconds) / 1000 }
}

extension Timestamp {
    /// The moment so much earlier, or the earliest there is.
    public func before(_ duration: Duration) -> Timestamp {
        let (start, overflow) = milliseconds.subtractingReportingOverflow(duration.milliseconds)
        return Timestamp(milliseconds: overflow ? .min : start)
    }
}
