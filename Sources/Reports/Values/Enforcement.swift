public import NetTypes

/// Asks that a namespace be enforced before anything runs in it, and waits until it is.
public struct EnforcementRequest: Hashable, Sendable, Codable {
    /// The mount of the namespace; this or `pid` is given.
    public var namespace: String?
    /// A process that lives in the namespace.
    public var pid: Int32?
    /// Whose the namespace is to be; without it the policy files have to say so.
    public var tenant: String?
    /// What the endpoint is labelled with, where `tenant` is given.
    public var labels: [String: String]?
    /// Addresses that have to be the endpoint's own by then.
    public var addresses: [IPAddress]?
    /// How long to wait; 10 seconds without it.
    public var timeoutMilliseconds: Int?

    public init(
        namespace: String? = nil, pid: Int32? = nil, tenant: String? = nil,
        labels: [String: String]? = nil, addresses: [IPAddress]? = nil,
        timeoutMilliseconds: Int? = nil
    ) {
        self.namespace = namespace
        self.pid = pid
        self.tenant = tenant
        self.labels = labels
        self.addresses = addresses
        self.timeoutMilliseconds = timeoutMilliseconds
    }

    /// The longest that anybody may wait.
    public static let longestWait = 300_000

    /// How long to wait, within bounds.
    public var wait: Duration {
        .milliseconds(min(max(timeoutMilliseconds ?? 10_000, 0), Self.longestWait))
    }
}

/// An endpoint whose rules are in force.
public struct EnforcedEndpoint: Hashable, Sendable, Codable {
    public var tenant: String
    public var name: String
    public var addresses: [IPAddress]
    /// The state that the kernel holds.
    public var generation: UInt64?

    public init(tenant: String, name: String, addresses: [IPAddress], generation: UInt64?) {
        self.tenant = tenant
        self.name = name
        self.addresses = addresses
        self.generation = generation
    }
}

/// Why a namespace is not enforced.
public struct EnforcementProblem: Error, Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        /// The request makes no sense.
        case invalid
        /// There is no such namespace, process or tenant.
        case absent
        /// The namespace is another's, or nobody's.
        case conflict
        /// It took longer than the request waits.
        case late
    }

    public let kind: Kind
    public let message: String
    public let fix: String

    public init(_ kind: Kind, _ message: String, fix: String) {
        self.kind = kind
        self.message = message
        self.fix = fix
    }
}
