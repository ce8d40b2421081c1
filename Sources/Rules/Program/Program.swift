internal import NetTypes

/// The constant part of every endpoint's table: sets, chains and rules, the same for all policies.
public enum Program {
    /// No word of the nft language, so that `nft` can read its own listing back.
    public static let tableName = "ringfence"

    /// In the order in which they are made.
    public static let sets: [SetDefinition] =
        [
            SetDefinition(name: SetName.own4, key: [.ipv4]),
            SetDefinition(name: SetName.own6, key: [.ipv6]),
            SetDefinition(name: SetName.peers4, key: [.ipv4], value: .mark, isInterval: true),
            SetDefinition(name: SetName.peers6, key: [.ipv6], value: .mark, isInterval: true),
            admissions(SetName.admitIn, isInterval: false),
            admissions(SetName.admitOut, isInterval: false),
            admissions(SetName.dhcpIn, isInterval: false),
            admissions(SetName.dhcpOut, isInterval: false),
            admissions(SetName.rangesIn, isInterval: true),
            admissions(SetName.rangesOut, isInterval: true),
            SetDefinition(
                name: SetName.rules, key: [.mark], value: .verdict, countsElements: true),
            SetDefinition(
                name: SetName.rejudged, key: [.mark], countsElements: true, capacity: 256),
        ]
        + Refusal.allCases.flatMap { [flows(of: $0, .ipv4, 4), flows(of: $0, .ipv6, 6)] }

    /// In the order in which they are made: a chain comes after those it leads to.
    public static let chains: [Chain] =
        Refusal.allCases.map(refusal) + [
            judge(.ingress), judge(.egress), dhcpAnswers, dhcpSearch, dhcpDiscovery,
            discoveryHeard, ownSource, noFlow, membershipIn, membershipOut,
            unspecified, unspecified4, input, output, forward,
        ]

    /// The names of the sets that hold policy.
    public enum SetName {
        public static let own4 = "own4"
        public static let own6 = "own6"
        public static let peers4 = "peers4"
        public static let peers6 = "peers6"
        public static let admitIn = "admit_in"
        public static let admitOut = "admit_out"
        public static let dhcpIn = "dhcp_in"
        public static let dhcpOut = "dhcp_out"
        public static let rangesIn = "ranges_in"
        public static let rangesOut = "ranges_out"
        public static let rules = "rules"
        public static let rejudged = "rejudged"
    }

    /// A chain; one with a hook is a base chain of type filter whose policy is drop.
    public struct Chain: Hashable, Sendable {
        public let name: String
        public let hook: Hook?
        public let rules: [ConstantRule]
    }

    /// enum nf_inet_hooks of linux/netfilter.h.
    public enum Hook: UInt32, Hashable, Sendable {
        case input = 1
        case forward = 2
        case output = 3
    }

    public struct ConstantRule: Hashable, Sendable {
        public let comment: String
        public let expressions: [Expression]
    }

    private static func admissions(_ name: String, isInterval: Bool) -> SetDefinition {
        SetDefinition(
            name: name, key: [.mark, .ipProtocol, .port], value: .mark, isInterval: isInterval,
            countsElements: true)
    }

    private static func flows(
        of reason: Refusal, _ address: SetDefinition.Field, _ digit: Int
    ) -> SetDefinition {
        SetDefinition(
            name: reason.setName(digit), key: [address, address, .ipProtocol, .port, .port],
            countsElements: true, capacity: reason.capacity)
    }
}
