/// Everything of nf_tables that a namespace holds, as it was read from the kernel.
public struct Ruleset: Hashable, Sendable {
    public var tables: [Table]

    public init(tables: [Table] = []) { self.tables = tables }
}

/// A table with its chains and sets.
public struct Table: Hashable, Sendable {
    public let family: Family
    public let name: String
    /// NFT_TABLE_F_DORMANT: its chains are on no hook.
    public let isDormant: Bool
    public var chains: [Chain]
    public var sets: [NamedSet]

    public init(
        family: Family, name: String, isDormant: Bool = false, chains: [Chain] = [],
        sets: [NamedSet] = []
    ) {
        self.family = family
        self.name = name
        self.isDormant = isDormant
        self.chains = chains
        self.sets = sets
    }

    /// NFPROTO_* of linux/netfilter.h.
    public enum Family: UInt8, Hashable, Sendable {
        case inet = 1
        case ip = 2
        case arp = 3
        case netdev = 5
        case bridge = 7
        case ip6 = 10
    }
}

extension Table.Family: CustomStringConvertible {
    public var description: String {
        switch self {
        case .inet: "inet"
        case .ip: "ip"
        case .arp: "arp"
        case .netdev: "netdev"
        case .bridge: "bridge"
        case .ip6: "ip6"
        }
    }
}

/// A chain; one with a hook is called for packets, others by jumps only.
public struct Chain: Hashable, Sendable {
    public let name: String
    public let base: Base?
    public var rules: [TableRule]

    public init(name: String, base: Base? = nil, rules: [TableRule] = []) {
        self.name = name
        self.base = base
        self.rules = rules
    }

    /// What makes a chain a base chain.
    public struct Base: Hashable, Sendable {
        /// NF_INET_*, or NF_NETDEV_* in the family `netdev`; 5 is NF_INET_INGRESS.
        public let hook: UInt32
        public let priority: Int32
        /// `filter`, `nat` or `route`.
        public let type: String
        /// Whether what no rule decides is accepted.
        public let accepts: Bool
        /// The devices that an ingress or egress chain hangs at, prefixes of names with a star; empty elsewhere.
        public let devices: [String]

        public init(
            hook: UInt32, priority: Int32, type: String, accepts: Bool, devices: [String] = []
        ) {
            self.hook = hook
            self.priority = priority
            self.type = type
            self.accepts = accepts
            self.devices = devices
        }
    }
}

/// A rule of a chain.
public struct TableRule: Hashable, Sendable {
    public let handle: UInt64
    public let comment: String?
    public let expressions: [Expression]

    public init(handle: UInt64, comment: String? = nil, expressions: [Expression]) {
        self.handle = handle
        self.comment = comment
        self.expressions = expressions
    }
}
