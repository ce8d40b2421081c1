public import NetTypes
public import Policy
public import Reports
public import Verifier

/// Everything that one audit has to say, for all forms of evidence alike.
public struct AuditReport: Hashable, Sendable, Codable {
    /// The form of the JSON; it changes when a reader has to.
    public static let format = "ringfence/audit/v1"

    public var format = AuditReport.format
    public var machine: Machine
    public var started: Timestamp
    public var finished: Timestamp
    /// The worst outcome of all checks.
    public var outcome: AuditOutcome
    public var policies: PoliciesInForce
    public var matrix: ReachMatrix
    public var checks: [Check]
    public var assertions: [AssertionResult]
    /// What the kernel was found to hold.
    public var kernel: AuditResult
    public var probes: ProbeResult?
    /// What was refused lately; nil where no history is kept.
    public var violations: ViolationPeriod?
    public var rules: [RuleFacts]
    /// Changes to the kernel's state that the agent did not make, within the same period.
    public var drift: [DriftRecord]
    /// The controls that checks are evidence for, in the order of their catalogs.
    public var controls: [ControlResult]
    /// The audit's place in the chain of records; nil where it is in none.
    public var record: RecordPlace?

    public init(
        machine: Machine, started: Timestamp, finished: Timestamp, policies: PoliciesInForce,
        matrix: ReachMatrix, assertions: [AssertionResult], kernel: AuditResult,
        probes: ProbeResult? = nil, violations: ViolationPeriod? = nil, rules: [RuleFacts] = [],
        drift: [DriftRecord] = [], controls mapping: ControlMapping, record: RecordPlace? = nil
    ) {
        self.machine = machine
        self.started = started
        self.finished = finished
        self.policies = policies
        self.matrix = matrix
        self.assertions = assertions
        self.kernel = kernel
        self.probes = probes
        self.violations = violations
        self.rules = rules
        self.drift = drift
        self.record = record
        checks = Check.all(
            kernel: kernel, assertions: assertions, probes: probes, mapping: mapping)
        outcome = checks.map(\.outcome).max() ?? .notProven
        controls = mapping.results(of: checks)
    }
}

/// Where and by what an audit was made.
public struct Machine: Hashable, Sendable, Codable {
    public var host: String
    /// The release and version of the kernel.
    public var kernel: String
    /// The version of Ringfence.
    public var version: String

    public init(host: String, kernel: String, version: String) {
        self.host = host
        self.kernel = kernel
        self.version = version
    }
}

/// The policy files that the kernel was held against.
public struct PoliciesInForce: Hashable, Sendable, Codable {
    /// Where they were read.
    public var source: String
    public var files: [PolicyDigest]
    public var tenants: Int
    public var rules: Int
    /// The agent's generation with the very same files; nil where none is known.
    public var generation: UInt64?
    /// Since when it has been in force.
    public var applied: Timestamp?

    public init(
        source: String, files: [PolicyDigest], tenants: Int, rules: Int,
        generation: UInt64? = nil, applied: Timestamp? = nil
    ) {
        self.source = source
        self.files = files
        self.tenants = tenants
        self.rules = rules
        self.generation = generation
        self.applied = applied
    }
}

/// One policy file, bit by bit.
public struct PolicyDigest: Hashable, Sendable, Codable {
    public var file: String
    /// SHA-256 in hexadecimal digits.
    public var sha256: String

    public init(file: String, sha256: String) {
        self.file = file
        self.sha256 = sha256
    }
}

/// What was refused within a time.
public struct ViolationPeriod: Hashable, Sendable, Codable {
    public var since: Timestamp
    public var until: Timestamp
    /// The latest ones, the last of them first.
    public var violations: [Violation]
    /// How many there are in all.
    public var count: Int

    public init(since: Timestamp, until: Timestamp, violations: [Violation], count: Int) {
        self.since = since
        self.until = until
        self.violations = violations
        self.count = count
    }
}

/// One rule: whose it is, and whether anybody uses it.
public struct RuleFacts: Hashable, Sendable, Codable {
    public var rule: RuleReference
    public var from: [String]
    public var to: [String]
    public var service: String
    /// What it admitted since counting began; nil where that is not known.
    public var admitted: Tally?
    /// When it goes; nil where it stays.
    public var expires: Timestamp?

    public init(_ rule: Rule, admitted: Tally?) {
        self.rule = RuleReference(rule)
        from = rule.from.map(\.description)
        to = rule.to.map(\.description)
        service = rule.service.description
        self.admitted = admitted
        expires = rule.policy.expires
    }

    /// Whether it is known that nothing ever passed by the rule.
    public var isUnused: Bool { admitted.map { $0.packets == 0 && $0.flows == 0 } ?? false }
}

/// Where in the chain an audit is.
public struct RecordPlace: Hashable, Sendable, Codable {
    public var sequence: UInt64
    /// The hash of the record before, in hexadecimal digits; zeros for the first.
    public var previous: String

    public init(sequence: UInt64, previous: String) {
        self.sequence = sequence
        self.previous = previous
    }
}
