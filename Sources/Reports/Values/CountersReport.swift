public import NetTypes
public import Policy

/// How much passed and how much was refused, since counting began.
public struct CountersReport: Hashable, Sendable, Codable {
    public var since: Timestamp?
    public var rules: [RuleCounters]
    public var refused: [RefusedPair]
    public var endpoints: [EndpointCounters]
    /// What was refused, but is in no pair because a table was full.
    public var notRecorded: Tally

    public init(
        since: Timestamp? = nil, rules: [RuleCounters], refused: [RefusedPair],
        endpoints: [EndpointCounters], notRecorded: Tally = Tally()
    ) {
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

    public init(
        rule: RuleID, policy: String, place: SourcePlace, service: String, counts: Tally
    ) {
        self.rule = rule
        self.policy = policy
        self.place = place
        self.service = service
        self.counts = counts
    }

    public init(_ rule: Rule, counts: Tally) {
        self.init(
            rule: rule.id, policy: rule.policy.name, place: rule.place,
            service: rule.service.description, counts: counts)
    }
}

/// What was refused between two parties for one reason.
public struct RefusedPair: Hashable, Sendable, Codable {
    public var source: PartyName
    public var destination: PartyName
    public var direction: Direction
    public var reason: RefusalReason
    public var counts: Tally

    public init(
        source: PartyName, destination: PartyName, direction: Direction, reason: RefusalReason,
        counts: Tally
    ) {
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
}

/// All that one endpoint sent and received.
public struct EndpointCounters: Hashable, Sendable, Codable {
    public var tenant: String
    public var endpoint: String
    public var admitted: Tally
    public var refused: Tally

    public init(tenant: String, endpoint: String, admitted: Tally, refused: Tally) {
        self.tenant = tenant
        self.endpoint = endpoint
        self.admitted = admitted
        self.refused = refused
    }
}
