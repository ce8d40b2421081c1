public import NetTypes

/// One state that came into force.
public struct GenerationRecord: Hashable, Sendable, Codable {
    public var number: UInt64
    /// When the last of its endpoints was in its new state.
    public var applied: Timestamp
    /// How many endpoints were written to.
    public var changedEndpoints: Int
    public var readMilliseconds: Double
    public var compileMilliseconds: Double
    public var applyMilliseconds: Double
    /// Every policy file that was in force, by path: its SHA-256 in hexadecimal.
    public var files: [String: String]
    /// What is not as it was in the generation before; empty where endpoints changed, not files.
    public var changes: [FileChange]
    /// Why what lay in the directory was not in force as a whole; empty if it was.
    public var errors: [String]

    public init(
        number: UInt64, applied: Timestamp, changedEndpoints: Int, readMilliseconds: Double,
        compileMilliseconds: Double, applyMilliseconds: Double, files: [String: String],
        changes: [FileChange], errors: [String] = []
    ) {
        self.number = number
        self.applied = applied
        self.changedEndpoints = changedEndpoints
        self.readMilliseconds = readMilliseconds
        self.compileMilliseconds = compileMilliseconds
        self.applyMilliseconds = applyMilliseconds
        self.files = files
        self.changes = changes
        self.errors = errors
    }
}

/// A policy file that came, went, or means something else now.
public struct FileChange: Hashable, Sendable, Codable {
    public enum Kind: String, Hashable, Sendable, Codable {
        case added
        case changed
        case removed
        /// A policy in it reached the moment at which it expires.
        case expired
    }

    public var file: String
    public var kind: Kind

    public init(file: String, kind: Kind) {
        self.file = file
        self.kind = kind
    }
}

/// One life of an agent.
public struct AgentRun: Hashable, Sendable, Codable {
    public var started: Timestamp
    /// Nil while it runs, and where it ended without a word.
    public var stopped: Timestamp?
    public var version: String
    public var pid: Int32

    public init(started: Timestamp, stopped: Timestamp? = nil, version: String, pid: Int32) {
        self.started = started
        self.stopped = stopped
        self.version = version
        self.pid = pid
    }
}

/// What was kept of the past: generations, lives of agents, drift; the latest first.
public struct HistoryReport: Hashable, Sendable, Codable {
    public var generations: [GenerationRecord]
    public var runs: [AgentRun]
    public var drift: [DriftRecord]
    /// Where it is kept, and whether that works.
    public var store: StoreStatus?

    public init(
        generations: [GenerationRecord], runs: [AgentRun], drift: [DriftRecord] = [],
        store: StoreStatus? = nil
    ) {
        self.generations = generations
        self.runs = runs
        self.drift = drift
        self.store = store
    }
}

/// Where history is kept, and whether that works.
public struct StoreStatus: Hashable, Sendable, Codable {
    public var path: String
    /// Of the file and its log, in bytes.
    public var bytes: Int64
    /// Rows by table.
    public var rows: [String: Int]
    /// Why history is kept in memory only; nil if it is on the disk.
    public var problem: String?
    /// Rows that there was no room for.
    public var lost: UInt64

    public init(
        path: String, bytes: Int64, rows: [String: Int], problem: String? = nil, lost: UInt64 = 0
    ) {
        self.path = path
        self.bytes = bytes
        self.rows = rows
        self.problem = problem
        self.lost = lost
    }
}

/// What happened, as it happens.
public enum AgentEvent: Hashable, Sendable {
    /// A flow was refused for the first time within its window.
    case violation(Violation)
    /// A state came into force.
    case generation(GenerationRecord)
    /// The kernel's state was not what the agent had written.
    case drift(DriftRecord)
    /// What lies in the policy directory is not in force; empty when it is again.
    case errors([String])
    /// So many events came faster than the reader took them.
    case lost(UInt64)
}
