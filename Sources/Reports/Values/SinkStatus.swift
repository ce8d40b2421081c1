/// How a sink does: somewhere that events are written to as they happen.
public struct SinkStatus: Hashable, Sendable, Codable {
    /// `stdout`, `file` or `syslog`.
    public var name: String
    /// Where it writes to.
    public var target: String
    /// Records that were written.
    public var written: UInt64
    /// Records that wait to be written.
    public var waiting: UInt64
    public var lost: SinkLosses
    /// Why it can't write at the moment; nil where it can.
    public var problem: String?

    public init(
        name: String, target: String, written: UInt64 = 0, waiting: UInt64 = 0,
        lost: SinkLosses = SinkLosses(), problem: String? = nil
    ) {
        self.name = name
        self.target = target
        self.written = written
        self.waiting = waiting
        self.lost = lost
        self.problem = problem
    }
}

/// Records that a sink never wrote, by cause.
public struct SinkLosses: Hashable, Sendable, Codable {
    /// Too many waited already: it is slow or dead.
    public var full: UInt64
    /// They came faster than its rate allows.
    public var limited: UInt64
    /// They can't be written there, such as one that is larger than a datagram.
    public var failed: UInt64

    public init(full: UInt64 = 0, limited: UInt64 = 0, failed: UInt64 = 0) {
        self.full = full
        self.limited = limited
        self.failed = failed
    }

    /// All of them.
    public var total: UInt64 { full &+ limited &+ failed }

    /// Each cause with its count, in the order in which they are told.
    public var causes: [(cause: String, count: UInt64)] {
        [("full", full), ("limited", limited), ("failed", failed)]
    }
}
