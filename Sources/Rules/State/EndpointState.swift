public import NetTypes

/// All the policy of one endpoint, as its maps hold it.
///
/// The constant rules around the maps are `Program`. An endpoint without a table lets everything
/// pass, one with an empty state nothing: `EndpointState?` keeps the two apart.
public struct EndpointState: Hashable, Sendable {
    /// The addresses that the endpoint may send from, and nobody else to it; sorted.
    public var own: [IPAddress]
    /// Disjoint, ascending.
    public var peers4: [PeerRange<UInt32>]
    /// Disjoint, ascending.
    public var peers6: [PeerRange<UInt128>]
    /// What others may open to the endpoint; disjoint, ascending.
    public var ingress: [Admission]
    /// What the endpoint may open to others; disjoint, ascending.
    public var egress: [Admission]
    /// The live rules.
    public var rules: RuleTable

    public init(
        own: [IPAddress] = [], peers4: [PeerRange<UInt32>] = [],
        peers6: [PeerRange<UInt128>] = [], ingress: [Admission] = [], egress: [Admission] = [],
        rules: RuleTable = [:]
    ) {
        self.own = own
        self.peers4 = peers4
        self.peers6 = peers6
        self.ingress = ingress
        self.egress = egress
        self.rules = rules
    }

    /// Nothing may pass.
    public static let closed = EndpointState()

    /// The admissions of one direction.
    public func admissions(_ direction: Direction) -> [Admission] {
        direction == .ingress ? ingress : egress
    }
}

extension EndpointState {
    /// How many elements each map of admissions has, by its name.
    public var admissionCounts: [(map: String, count: Int)] {
        Direction.allCases.flatMap { direction in
            Admission.Kind.allCases.map { kind in
                (kind.map(direction), admissions(direction).count { $0.kind == kind })
            }
        }
    }
}

/// Addresses that every rule of the endpoint treats alike.
public struct PeerRange<Number: FixedWidthInteger & UnsignedInteger & Sendable>: Hashable, Sendable
{
    public let addresses: ClosedRange<Number>
    public let peerClass: Mark
    /// Whose addresses they are, for readers of the listing.
    public let comment: String

    public init(addresses: ClosedRange<Number>, peerClass: Mark, comment: String = "") {
        self.addresses = addresses
        self.peerClass = peerClass
        self.comment = comment
    }
}

/// The rule that admits a box of (class, protocols, ports).
public struct Admission: Hashable, Sendable {
    public let peerClass: Mark
    public let protocols: ClosedRange<UInt8>
    /// Destination ports; for ICMP the type in the high byte and the code in the low one.
    public let ports: ClosedRange<UInt16>
    public let rule: Mark

    public init(
        peerClass: Mark, protocols: ClosedRange<UInt8>, ports: ClosedRange<UInt16>, rule: Mark
    ) {
        self.peerClass = peerClass
        self.protocols = protocols
        self.ports = ports
        self.rule = rule
    }
}

extension Admission {
    /// Which map an admission belongs into.
    public enum Kind: Hashable, Sendable, CaseIterable {
        /// One port of one protocol.
        case single
        /// Messages of DHCP to a port; their protocol is 0, which no packet has together with a port.
        case dhcp
        /// All others.
        case ranges

        /// The name of the map.
        public func map(_ direction: Direction) -> String {
            typealias Name = Program.SetName
            let isIngress = direction == .ingress
            return switch self {
            case .single: isIngress ? Name.admitIn : Name.admitOut
            case .dhcp: isIngress ? Name.dhcpIn : Name.dhcpOut
            case .ranges: isIngress ? Name.rangesIn : Name.rangesOut
            }
        }
    }

    public var kind: Kind { isDHCP ? .dhcp : isSingle ? .single : .ranges }

    /// Whether it is about messages of DHCP to a port.
    public var isDHCP: Bool { protocols == 0...0 && ports.lowerBound == ports.upperBound }

    /// Whether it has a key of its own in a hash table, as one port of one protocol has.
    ///
    /// There it costs a change one element. A change to a map of ranges costs the kernel a copy of the
    /// whole map, and each element that goes a walk over it (`pipapo_clone` and `pipapo_drop` in
    /// net/netfilter/nft_set_pipapo.c).
    public var isSingle: Bool {
        protocols.lowerBound == protocols.upperBound && ports.lowerBound == ports.upperBound
    }
}

extension Admission: Comparable {
    public static func < (left: Admission, right: Admission) -> Bool {
        (left.peerClass, left.protocols.lowerBound, left.ports.lowerBound)
            < (right.peerClass, right.protocols.lowerBound, right.ports.lowerBound)
    }
}

/// A rule that is in force at an endpoint.
public struct LiveRule: Hashable, Sendable {
    /// The policy's name, for readers of the listing.
    public let policy: String
    public let id: RuleID
    public let direction: Direction

    public init(policy: String, id: RuleID, direction: Direction) {
        self.policy = policy
        self.id = id
        self.direction = direction
    }
}
