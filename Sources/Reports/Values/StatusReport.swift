public import NetTypes
public import Policy

/// What an agent is doing: its inputs, its endpoints, and what went wrong.
public struct StatusReport: Hashable, Sendable, Codable {
    public var agent: AgentStatus
    public var policies: PolicyStatus
    public var endpoints: [EndpointStatus]
    public var unknownNamespaces: [UnknownNamespace]
    public var conflicts: [ConflictStatus]
    /// Host ends of veths at which no endpoint is any more.
    public var held: [HeldLinkStatus]
    public var lastApply: ApplyStatus?
    public var lost: LostEvents
    /// What the host filter dropped as nobody's attempt; nil where it is off.
    public var overheard: Overheard?
    /// Where events are written to as they happen.
    public var sinks: [SinkStatus]

    public init(
        agent: AgentStatus, policies: PolicyStatus, endpoints: [EndpointStatus],
        unknownNamespaces: [UnknownNamespace] = [], conflicts: [ConflictStatus] = [],
        held: [HeldLinkStatus] = [],
        lastApply: ApplyStatus? = nil, lost: LostEvents = LostEvents(),
        overheard: Overheard? = nil, sinks: [SinkStatus] = []
    ) {
        self.held = held
        self.sinks = sinks
        self.overheard = overheard
        self.agent = agent
        self.policies = policies
        self.endpoints = endpoints
        self.unknownNamespaces = unknownNamespaces
        self.conflicts = conflicts
        self.lastApply = lastApply
        self.lost = lost
    }
}

/// The process that answers.
public struct AgentStatus: Hashable, Sendable, Codable {
    /// Whether the eBPF programs on the host ends of the veths are in use.
    public enum HostFilter: String, Hashable, Sendable, Codable {
        case off
        case on
        /// They are the only layer.
        case only
    }

    public var version: String
    public var pid: Int32
    public var started: Timestamp
    public var hostFilter: HostFilter
    /// Why the host filter is not in the state that it should be in.
    public var hostFilterProblem: String?
    /// Programs of others on the hooks where the host filter stands.
    public var otherPrograms: [String]?
    /// The number of the state that is being enforced; 0 before the first.
    public var generation: UInt64

    public init(
        version: String, pid: Int32, started: Timestamp, hostFilter: HostFilter = .off,
        hostFilterProblem: String? = nil, otherPrograms: [String]? = nil, generation: UInt64
    ) {
        self.version = version
        self.pid = pid
        self.started = started
        self.hostFilter = hostFilter
        self.hostFilterProblem = hostFilterProblem
        self.otherPrograms = otherPrograms
        self.generation = generation
    }
}

extension StatusReport {
    /// Whether every endpoint is enforced, every file is in force, and nothing is in conflict.
    public var isInOrder: Bool {
        endpoints.allSatisfy { $0.state == .enforced } && policies.errors.isEmpty
            && conflicts.isEmpty && agent.hostFilterProblem == nil
    }
}

/// The policy directory as it was last read.
public struct PolicyStatus: Hashable, Sendable, Codable {
    public var directory: String
    public var files: Int
    public var policies: Int
    public var rules: Int
    public var tenants: Int
    /// Why the directory as it is now is not in force; empty if it is.
    public var errors: [Diagnostic]
    /// What is in force, or no policy file, and may be meant otherwise; nil from agents that don't tell.
    public var warnings: [Diagnostic]?

    public init(
        directory: String, files: Int, policies: Int, rules: Int, tenants: Int,
        errors: [Diagnostic] = [], warnings: [Diagnostic]? = nil
    ) {
        self.warnings = warnings
        self.directory = directory
        self.files = files
        self.policies = policies
        self.rules = rules
        self.tenants = tenants
        self.errors = errors
    }
}

/// How the last generation came into force.
public struct ApplyStatus: Hashable, Sendable, Codable {
    public var finished: Timestamp
    /// How many endpoints were written to.
    public var changedEndpoints: Int
    public var readMilliseconds: Double
    public var compileMilliseconds: Double
    public var applyMilliseconds: Double

    public init(
        finished: Timestamp, changedEndpoints: Int, readMilliseconds: Double,
        compileMilliseconds: Double, applyMilliseconds: Double
    ) {
        self.finished = finished
        self.changedEndpoints = changedEndpoints
        self.readMilliseconds = readMilliseconds
        self.compileMilliseconds = compileMilliseconds
        self.applyMilliseconds = applyMilliseconds
    }
}

/// What the kernel told nobody because a buffer was full; never silently missing.
public struct LostEvents: Hashable, Sendable, Codable {
    /// Packets that were refused but not described.
    public var refusals: UInt64
    /// Changes of links, addresses and namespaces.
    public var links: UInt64
    /// Changes of nftables rules.
    public var rules: UInt64
    /// Violations that were not kept.
    public var violations: UInt64

    public init(
        refusals: UInt64 = 0, links: UInt64 = 0, rules: UInt64 = 0, violations: UInt64 = 0
    ) {
        self.refusals = refusals
        self.links = links
        self.rules = rules
        self.violations = violations
    }
}
