public import NetTypes

/// What an audit found: the state of the kernel held against the policies, endpoint by endpoint.
public struct AuditResult: Hashable, Sendable, Codable {
    /// Since 1970-01-01T00:00:00Z, in milliseconds.
    public var started: Int64
    public var times: AuditTimes
    /// In the order of their tenants and names.
    public var endpoints: [EndpointAudit]
    /// Nil where the host filter was not asked for and nothing of it is there.
    public var hostFilter: HostFilterAudit?
    /// What would keep the whole from being a proof, whatever the endpoints say: a conflict of
    /// addresses, a namespace that could not be entered.
    public var unproven: [Unproven]

    public init(
        started: Int64, times: AuditTimes, endpoints: [EndpointAudit],
        hostFilter: HostFilterAudit? = nil, unproven: [Unproven] = []
    ) {
        self.started = started
        self.times = times
        self.endpoints = endpoints
        self.hostFilter = hostFilter
        self.unproven = unproven
    }

    /// The worst of all outcomes; a violation weighs more than what could not be proven.
    public var outcome: AuditOutcome {
        let all = endpoints.map(\.outcome) + [hostFilter?.outcome].compactMap(\.self)
        return (all + (unproven.isEmpty ? [] : [.notProven])).max() ?? .proven
    }

    /// How much was looked at, summed up.
    public var coverage: AuditCoverage {
        endpoints.reduce(AuditCoverage()) { $0 + $1.coverage }
    }
}

/// How an audit ends, for one endpoint or for all.
public enum AuditOutcome: String, Hashable, Sendable, Codable, CaseIterable, Comparable {
    /// For every packet the kernel does what the policies say.
    case proven
    /// Something in the kernel is not understood, so nothing can be said about some packets.
    case notProven
    /// There is a packet that the kernel treats in another way than the policies say.
    case violated

    public static func < (left: AuditOutcome, right: AuditOutcome) -> Bool {
        left.weight < right.weight
    }

    /// What the command exits with; 3 is kept for audits that could not run.
    public var exitCode: Int32 {
        switch self {
        case .proven: 0
        case .violated: 1
        case .notProven: 2
        }
    }

    private var weight: Int {
        switch self {
        case .proven: 0
        case .notProven: 1
        case .violated: 2
        }
    }
}

/// Where the time went, in seconds.
public struct AuditTimes: Hashable, Sendable, Codable {
    /// Finding namespaces and reading their tables, programs and maps.
    public var reading: Double
    /// Holding them against the policies.
    public var proving: Double

    public init(reading: Double = 0, proving: Double = 0) {
        self.reading = reading
        self.proving = proving
    }
}

/// One endpoint of an audit.
public struct EndpointAudit: Hashable, Sendable, Codable {
    public let namespace: NamespaceID
    public let name: String
    public let tenant: String
    public let addresses: [IPAddress]
    /// Every table with a chain on a hook of the namespace, others' as well.
    public var tables: [TableAudit]
    /// The ways of packets that were looked at.
    public var paths: [PathAudit]
    public var findings: [Finding]
    public var unproven: [Unproven]
    /// Steps in the kernel's words that a proof has no say about and that change no verdict, such
    /// as what is logged; for readers.
    public var notes: [String]

    public init(
        namespace: NamespaceID, name: String, tenant: String, addresses: [IPAddress],
        tables: [TableAudit] = [], paths: [PathAudit] = [], findings: [Finding] = [],
        unproven: [Unproven] = [], notes: [String] = []
    ) {
        self.namespace = namespace
        self.name = name
        self.tenant = tenant
        self.addresses = addresses
        self.tables = tables
        self.paths = paths
        self.findings = findings
        self.unproven = unproven
        self.notes = notes
    }

    public var outcome: AuditOutcome {
        findings.isEmpty ? unproven.isEmpty ? .proven : .notProven : .violated
    }

    public var coverage: AuditCoverage {
        AuditCoverage(
            endpoints: 1, tables: tables.count,
            rules: tables.reduce(0) { $0 + $1.rules },
            elements: tables.reduce(0) { $0 + $1.elements },
            classes: paths.reduce(0) { $0 + $1.classes },
            packets: paths.reduce(0) { $0 + $1.packets })
    }
}

/// A table as it was read.
public struct TableAudit: Hashable, Sendable, Codable {
    /// `inet`, `ip`, `ip6`, `netdev` and so on.
    public let family: String
    public let name: String
    /// Whether it is the one that Ringfence makes.
    public let isOwn: Bool
    public let chains: Int
    public let rules: Int
    public let elements: Int

    public init(
        family: String, name: String, isOwn: Bool, chains: Int, rules: Int, elements: Int
    ) {
        self.family = family
        self.name = name
        self.isOwn = isOwn
        self.chains = chains
        self.rules = rules
        self.elements = elements
    }
}

/// A way of packets through an endpoint, and how many kinds of packets there are on it.
public struct PathAudit: Hashable, Sendable, Codable {
    public let path: AuditPath
    /// Kinds of packets that no constant of the kernel's rules or of the policies tells apart.
    public var classes: Int
    /// Packets that were followed through the kernel's rules, one for each class or several where a
    /// class has several states of its flow.
    public var packets: Int

    public init(path: AuditPath, classes: Int = 0, packets: Int = 0) {
        self.path = path
        self.classes = classes
        self.packets = packets
    }
}

/// What kind of packet it is to its endpoint.
public enum AuditPath: String, Hashable, Sendable, Codable, CaseIterable {
    /// The first packet of a flow that others open.
    case newIngress
    /// The first packet of a flow that the endpoint opens.
    case newEgress
    /// A packet of a flow that is known, in either direction.
    case established
    /// A packet whose source is not who it may be.
    case spoofed
    /// What belongs to no flow: invalid, untracked, neighbour discovery.
    case control
    /// What would pass through the endpoint.
    case forwarded
    /// The endpoint talking to itself.
    case loopback
}

/// Sums over what was looked at.
public struct AuditCoverage: Hashable, Sendable, Codable {
    public var endpoints = 0
    public var tables = 0
    public var rules = 0
    public var elements = 0
    public var classes = 0
    public var packets = 0

    public init(
        endpoints: Int = 0, tables: Int = 0, rules: Int = 0, elements: Int = 0, classes: Int = 0,
        packets: Int = 0
    ) {
        self.endpoints = endpoints
        self.tables = tables
        self.rules = rules
        self.elements = elements
        self.classes = classes
        self.packets = packets
    }

    public static func + (left: AuditCoverage, right: AuditCoverage) -> AuditCoverage {
        AuditCoverage(
            endpoints: left.endpoints + right.endpoints, tables: left.tables + right.tables,
            rules: left.rules + right.rules, elements: left.elements + right.elements,
            classes: left.classes + right.classes, packets: left.packets + right.packets)
    }
}

/// Why something is not proven.
public struct Unproven: Hashable, Sendable, Codable {
    /// Where in the kernel; nil where it is no rule's.
    public let place: KernelPlace?
    /// What is not understood, with its name in the kernel: `expression xt in ...`.
    public let reason: String
    /// What to do so that it can be proven.
    public let fix: String

    public init(place: KernelPlace? = nil, reason: String, fix: String) {
        self.place = place
        self.reason = reason
        self.fix = fix
    }
}
