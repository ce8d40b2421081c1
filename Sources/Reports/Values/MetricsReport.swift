public import NetTypes

/// Everything that is measured, at one moment.
public struct MetricsReport: Hashable, Sendable {
    public var status: StatusReport
    /// What each rule let through, in the order of files and lines.
    public var rules: [RuleTraffic]
    public var refused: [RefusedPair]
    /// What was refused, but is in no pair.
    public var notRecorded: Tally
    /// How long applies took.
    public var apply: Histogram
    /// How long it took from a saved file to the kernel.
    public var savedToEnforced: Histogram
    /// How many times policies could not be read as they were.
    public var parseErrors: UInt64
    public var driftRepairs: UInt64
    /// How often each kind of drift happened since the agent started.
    public var drift: [DriftRecord.Kind: UInt64]
    /// How full the kernel's bounded maps are: 0 to 1 by name, the fullest endpoint's.
    public var mapFill: [String: Double]
    /// How the history is; nil where there is none.
    public var history: HistoryCondition?
    /// Bytes of the agent's memory that are resident.
    public var residentBytes: UInt64

    public init(
        status: StatusReport, rules: [RuleTraffic] = [], refused: [RefusedPair] = [],
        notRecorded: Tally = Tally(), apply: Histogram, savedToEnforced: Histogram,
        parseErrors: UInt64 = 0, driftRepairs: UInt64 = 0,
        drift: [DriftRecord.Kind: UInt64] = [:], mapFill: [String: Double] = [:],
        history: HistoryCondition? = nil, residentBytes: UInt64 = 0
    ) {
        self.status = status
        self.rules = rules
        self.refused = refused
        self.notRecorded = notRecorded
        self.apply = apply
        self.savedToEnforced = savedToEnforced
        self.parseErrors = parseErrors
        self.driftRepairs = driftRepairs
        self.drift = drift
        self.mapFill = mapFill
        self.history = history
        self.residentBytes = residentBytes
    }
}

/// What one rule let through, in as few bytes as will do: a host may have a hundred thousand.
public struct RuleTraffic: Hashable, Sendable {
    public var rule: RuleID
    public var policy: String
    public var packets: UInt64
    public var bytes: UInt64

    public init(rule: RuleID, policy: String, packets: UInt64, bytes: UInt64) {
        self.rule = rule
        self.policy = policy
        self.packets = packets
        self.bytes = bytes
    }
}

/// How the kept history is, as far as that is known without asking the disk.
public struct HistoryCondition: Hashable, Sendable {
    /// Of the file and its log.
    public var bytes: Int64
    /// Whether it is kept on the disk and not in memory only.
    public var isOnDisk: Bool
    /// Rows that there was no room for.
    public var lost: UInt64

    public init(bytes: Int64 = 0, isOnDisk: Bool = false, lost: UInt64 = 0) {
        self.bytes = bytes
        self.isOnDisk = isOnDisk
        self.lost = lost
    }
}

/// How often something took how long.
public struct Histogram: Hashable, Sendable, Codable {
    /// Upper bounds of the buckets in seconds, in rising order; what is longer is in the sum and the
    /// count only.
    public let bounds: [Double]
    /// How many fell into each bucket and into none below it.
    public private(set) var counts: [UInt64]
    public private(set) var count: UInt64 = 0
    /// In seconds.
    public private(set) var sum: Double = 0

    public init(bounds: [Double] = Histogram.latencies) {
        self.bounds = bounds
        counts = Array(repeating: 0, count: bounds.count)
    }

    /// Takes one duration in.
    ///
    /// - Parameter seconds: What was measured.
    public mutating func record(_ seconds: Double) {
        count += 1
        sum += seconds
        if let bucket = bounds.firstIndex(where: { seconds <= $0 }) { counts[bucket] += 1 }
    }

    /// From half a millisecond to ten seconds.
    public static let latencies: [Double] = [
        0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
    ]
}
