public import NetTypes
public import Policy

/// How much passed and how much was refused, since counting began.
public struct CountersReport: Hashable, Sendable, Codable {
    public var since: Timestamp?
    public var rules: [RuleCounters]
    public var refused: [RefusedPair]
    public var endpoints: [EndpointCounters]
    /// What was refused, but is in no pair because a table was full: all pairs and this together
    /// are what the endpoints refused.
    public var notRecorded: Tally
    /// What the host filter dropped as nobody's attempt; nil where it is off.
    public var overheard: Overheard?

    public init(
        since: Timestamp? = nil, rules: [RuleCounters], refused: [RefusedPair],
        endpoints: [EndpointCounters], notRecorded: Tally = Tally(), overheard: Overheard? = nil
    ) {
        self.overheard = overheard
        self.since = since
        self.rules = rules
        self.refused = refused
        self.endpoints = endpoints
        self.notRecorded = notRecorded
    }
}

/// Packets, bytes and flows that were counted together.
public struct Tally: Hashable, Sendable, Codable {
    public var packets: UInt64
    public var bytes: UInt64
    public var flows: UInt64

    public init(packets: UInt64 = 0, bytes: UInt64 = 0, flows: UInt64 = 0) {
        self.packets = packets
        self.bytes = bytes
        self.flows = flows
    }

    public static func + (left: Tally, right: Tally) -> Tally {
        Tally(
            packets: left.packets &+ right.packets, bytes: left.bytes &+ right.bytes,
            flows: left.flows &+ right.flows)
    }
}

/// What one rule admitted.
public struct RuleCounters: Hashable, Sendable, Codable {
    public var rule: RuleID
    public var policy: String
    public var place: SourcePlace
    /// What the rule admits, in words: `tcp 5432`.
    public var service: String
    public var counts: Tally
    /// What the host filter counted of the same; nil where it is off.
    public var hostFilter: Tally?

    public init(
        rule: RuleID, policy: String, place: SourcePlace, service: String, counts: Tally,
        hostFilter: Tally? = nil
    ) {
        self.hostFilter = hostFilter
        self.rule = rule
        self.policy = policy
        self.place = place
        self.service = service
        self.counts = counts
    }

    public init(_ rule: Rule, counts: Tally, hostFilter: Tally? = nil) {
        self.init(
            rule: rule.id, policy: rule.policy.name, place: rule.place,
            service: rule.service.description, counts: counts, hostFilter: hostFilter)
    }
}

/// What was refused between two parties for one reason.
public struct RefusedPair: Hashable, Sendable, Codable {
    public var source: PartyName
    public var destination: PartyName
    public var direction: Direction
    public var layer: Violation.Layer
    public var reason: RefusalReason
    /// Flows are distinct 5-tuples within an hour, added up over the hours.
    public var counts: Tally

    public init(
        source: PartyName, destination: PartyName, direction: Direction,
        layer: Violation.Layer = .nftables, reason: RefusalReason, counts: Tally
    ) {
        self.layer = layer
        self.source = source
        self.destination = destination
        self.direction = direction
        self.reason = reason
        self.counts = counts
    }
}

/// One side of a refused pair.
public struct PartyName: Hashable, Sendable, Codable {
    public enum Kind: String, Hashable, Sendable, Codable {
        case tenant
        case host
        case world
        /// An address that is neither an endpoint's, nor the host's, nor the world's.
        case address
    }

    public var kind: Kind
    /// The tenant or the address; the kind itself for the host and the world.
    public var name: String

    public init(kind: Kind, name: String) {
        self.kind = kind
        self.name = name
    }

    public static func tenant(_ name: String) -> PartyName { .init(kind: .tenant, name: name) }

    public static func address(_ address: IPAddress) -> PartyName {
        PartyName(kind: .address, name: address.description)
    }

    public static let host = PartyName(kind: .host, name: "host")
    public static let world = PartyName(kind: .world, name: "world")
    /// Addresses that are too many to be told apart.
    public static let others = PartyName(kind: .address, name: "others")

    /// What the initialiser below reads.
    public var parameter: String { kind == .tenant ? name : ":" + name }

    /// Reads a tenant's name, or `:host`, `:world`, `:others` or an address behind a colon: a
    /// tenant may be called like one of these.
    public init?(parsing text: String) {
        guard text.first == ":" else {
            guard !text.isEmpty else { return nil }
            self = .tenant(text)
            return
        }
        switch text.dropFirst() {
        case "host": self = .host
        case "world": self = .world
        case "others": self = .others
        case let rest:
            guard let address = IPAddress(String(rest)) else { return nil }
            self = .address(address)
        }
    }
}

/// All that one endpoint sent and received.
public struct EndpointCounters: Hashable, Sendable, Codable {
    public var tenant: String
    public var endpoint: String
    /// Of its table, or of the host filter where that is the only layer.
    public var admitted: Tally
    /// Every packet that its table refused, whether its flow was recorded or not.
    public var refused: Tally
    /// The same of the host filter on its veths; nil where it is off.
    public var refusedByHostFilter: Tally?
    /// What the host filter dropped there as nobody's attempt; nil where it is off.
    public var overheard: Overheard?

    public init(
        tenant: String, endpoint: String, admitted: Tally, refused: Tally,
        refusedByHostFilter: Tally? = nil, overheard: Overheard? = nil
    ) {
        self.overheard = overheard
        self.refusedByHostFilter = refusedByHostFilter
        self.tenant = tenant
        self.endpoint = endpoint
        self.admitted = admitted
        self.refused = refused
    }
}

extension PartyName: Comparable {
    /// Tenants first, by name.
    public static func < (left: PartyName, right: PartyName) -> Bool {
        (left.kind.order, left.name) < (right.kind.order, right.name)
    }
}

extension PartyName.Kind {
    fileprivate var order: Int {
        switch self {
        case .tenant: 0
        case .host: 1
        case .world: 2
        case .address: 3
        }
    }
}
