/// A protocol number of the IPv4 header or of the last IPv6 header (IANA protocol numbers).
public struct IPProtocol: RawRepresentable, Hashable, Sendable, Comparable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let icmp = IPProtocol(rawValue: 1)
    public static let tcp = IPProtocol(rawValue: 6)
    public static let udp = IPProtocol(rawValue: 17)
    public static let icmpv6 = IPProtocol(rawValue: 58)
    public static let sctp = IPProtocol(rawValue: 132)

    /// The protocols that policies may call by name.
    public static let named: [(name: String, value: IPProtocol)] = [
        ("tcp", .tcp), ("udp", .udp), ("sctp", .sctp), ("icmp", .icmp), ("icmpv6", .icmpv6),
    ]

    /// Whether policies may name ports of the protocol.
    public var hasPorts: Bool { self == .tcp || self == .udp || self == .sctp }

    /// Whether its messages carry a type and a code where others carry ports.
    public var isICMP: Bool { self == .icmp || self == .icmpv6 }

    public static func < (left: IPProtocol, right: IPProtocol) -> Bool {
        left.rawValue < right.rawValue
    }
}

extension IPProtocol: CustomStringConvertible {
    public var description: String {
        Self.named.first { $0.value == self }?.name ?? String(rawValue)
    }
}
