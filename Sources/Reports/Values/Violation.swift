public import NetTypes
public import Policy

/// A flow that was refused, with the reason.
public struct Violation: Hashable, Sendable, Codable {
    /// When the first and the last of its packets were refused.
    public var first: Timestamp
    public var last: Timestamp
    public var source: ViolationEnd
    public var destination: ViolationEnd
    public var ipProtocol: IPProtocol
    /// Nil for protocols without ports, and for fragments that carry none.
    public var ports: Ports?
    /// Nil unless the protocol is ICMP or ICMPv6.
    public var message: Message?
    /// Which end refused: the source's egress or the destination's ingress.
    public var direction: Direction
    public var layer: Layer
    public var reason: RefusalReason
    public var packets: UInt64
    public var bytes: UInt64
    /// How many flows the record stands for; more than one where a flood was put together, and
    /// then it has no source port, and a destination port only if all had the same.
    public var flows: UInt64?
    /// The rule that comes closest to admitting the flow, and what it lacks.
    public var closest: Explanation?
    /// The number of the state that refused.
    public var generation: UInt64

    /// What refused the packets.
    public enum Layer: String, Hashable, Sendable, Codable {
        /// The table inside the endpoint.
        case nftables
        /// The eBPF program on the host end of the endpoint's veth.
        case hostFilter
    }

    public struct Ports: Hashable, Sendable, Codable {
        public var source: UInt16
        public var destination: UInt16

        public init(source: UInt16, destination: UInt16) {
            self.source = source
            self.destination = destination
        }
    }

    public struct Message: Hashable, Sendable, Codable {
        public var type: UInt8
        public var code: UInt8

        public init(type: UInt8, code: UInt8) {
            self.type = type
            self.code = code
        }
    }

    public init(
        first: Timestamp, last: Timestamp, source: ViolationEnd, destination: ViolationEnd,
        ipProtocol: IPProtocol, ports: Ports? = nil, message: Message? = nil,
        direction: Direction, layer: Layer = .nftables, reason: RefusalReason, packets: UInt64,
        bytes: UInt64, flows: UInt64? = nil, closest: Explanation? = nil, generation: UInt64
    ) {
        self.flows = flows
        self.first = first
        self.last = last
        self.source = source
        self.destination = destination
        self.ipProtocol = ipProtocol
        self.ports = ports
        self.message = message
        self.direction = direction
        self.layer = layer
        self.reason = reason
        self.packets = packets
        self.bytes = bytes
        self.closest = closest
        self.generation = generation
    }
}

/// Who stood at one end of a refused flow.
public struct ViolationEnd: Hashable, Sendable, Codable {
    public var address: IPAddress
    /// Nil if the address is nobody's endpoint.
    public var tenant: String?
    /// The endpoint; without a tenant, a namespace that no tenant claims.
    public var endpoint: String?
    /// Whose the address is if not an endpoint's: the host's, the world's, or nobody's that is
    /// known.
    public var party: PartyName.Kind?

    public init(
        address: IPAddress, tenant: String? = nil, endpoint: String? = nil,
        party: PartyName.Kind? = nil
    ) {
        self.party = party
        self.address = address
        self.tenant = tenant
        self.endpoint = endpoint
    }
}

/// Why a packet was refused.
public enum RefusalReason: String, Hashable, Sendable, Codable, CaseIterable {
    /// No rule admits it.
    case noRule
    /// The rule that admitted its flow is gone, and no other admits it.
    case revoked
    /// Its source address is not the endpoint's.
    case spoofed
    /// Connection tracking can't place it in any flow.
    case invalid
    /// The endpoint was to forward it for somebody else.
    case forwarded
    /// Nobody keeps one of its addresses.
    case conflict
    /// The endpoint had no rules yet, or not for the address: it was sent before the agent knew that the
    /// endpoint has it.
    case closed
    /// None of these could be told.
    case unknown

    // What only the host filter sees.

    /// Its source link-layer address is not the endpoint's.
    case spoofedLinkAddress
    /// An ARP message that speaks for others.
    case arp
    /// A neighbour discovery message that speaks for others.
    case neighbourDiscovery
    /// A router advertisement or a redirect: endpoints are no routers.
    case router
    /// A message of a DHCP server.
    case dhcpServer
    /// Neither IPv4 nor IPv6 nor ARP.
    case etherType
    /// A VLAN tag.
    case vlan
    /// Headers that contradict themselves or end too early.
    case malformed
    /// More or other extension headers than are followed.
    case extensionHeaders
    /// A fragment without a first one that was admitted, or one that could rewrite it.
    case fragment
    /// A local endpoint's address on a packet that did not come through its veth.
    case identity
}

/// Refused flows, the latest last.
public struct ViolationsReport: Hashable, Sendable, Codable {
    public var violations: [Violation]
    /// How many refused flows are not in the list because there was no room for them.
    public var notRecorded: UInt64
    /// What to ask for to get older ones; nil when there are none, or when no limit was asked for.
    public var next: String?

    public init(violations: [Violation], notRecorded: UInt64 = 0, next: String? = nil) {
        self.next = next
        self.violations = violations
        self.notRecorded = notRecorded
    }
}
