/// An IPv4 or IPv6 address, held as a number in host byte order.
public enum IPAddress: Hashable, Sendable {
    case v4(UInt32)
    case v6(UInt128)

    /// The address family, as written in messages.
    public var family: AddressFamily {
        switch self {
        case .v4: .v4
        case .v6: .v6
        }
    }

    /// The address in network byte order: 4 or 16 bytes.
    public var bytes: [UInt8] {
        switch self {
        case .v4(let number): number.networkBytes
        case .v6(let number): number.networkBytes
        }
    }

    /// Reads 4 or 16 bytes in network byte order; nil for any other count.
    public init?(bytes: some Collection<UInt8>) {
        switch bytes.count {
        case 4: self = .v4(UInt32(networkBytes: bytes))
        case 16: self = .v6(UInt128(networkBytes: bytes))
        default: return nil
        }
    }

    /// Whether the address is 169.254.0.0/16 (RFC 3927) or fe80::/10 (RFC 4291).
    public var isLinkLocal: Bool {
        switch self {
        case .v4(let number): number >> 16 == 0xa9fe
        case .v6(let number): number >> 118 == 0x3fa
        }
    }

    /// Whether the address is 127.0.0.0/8 (RFC 1122) or ::1 (RFC 4291).
    public var isLoopback: Bool {
        switch self {
        case .v4(let number): number >> 24 == 127
        case .v6(let number): number == 1
        }
    }

    /// Whether the address is a group, 224.0.0.0/4 or ff00::/8, or 255.255.255.255.
    public var isMulticastOrBroadcast: Bool {
        switch self {
        case .v4(let number): number >> 28 == 0xe || number == .max
        case .v6(let number): number >> 120 == 0xff
        }
    }
}

/// One of the two families that every decision covers.
public enum AddressFamily: String, Hashable, Sendable, CaseIterable, Codable {
    case v4 = "ipv4"
    case v6 = "ipv6"
}

extension IPAddress: Comparable {
    /// Orders IPv4 before IPv6, then by number.
    public static func < (left: IPAddress, right: IPAddress) -> Bool {
        switch (left, right) {
        case (.v4(let a), .v4(let b)): a < b
        case (.v6(let a), .v6(let b)): a < b
        case (.v4, .v6): true
        case (.v6, .v4): false
        }
    }
}

extension FixedWidthInteger {
    /// The number's bytes, most significant first.
    @inlinable public var networkBytes: [UInt8] {
        let width = Self.bitWidth / 8
        return (0..<width).map { UInt8(truncatingIfNeeded: self >> ((width - 1 - $0) * 8)) }
    }

    /// Reads bytes that stand most significant first.
    @inlinable public init(networkBytes bytes: some Collection<UInt8>) {
        self = bytes.reduce(0) { $0 << 8 | Self($1) }
    }
}
