private import Glibc
public import NetTypes

/// An address and a port of TCP or UDP.
public struct SocketAddress: Hashable, Sendable, CustomStringConvertible {
    public let address: IPAddress
    public let port: UInt16

    public init(_ address: IPAddress, port: UInt16) {
        self.address = address
        self.port = port
    }

    public var description: String {
        address.family == .v4 ? "\(address):\(port)" : "[\(address)]:\(port)"
    }
}

extension SocketAddress {
    /// The bytes of a `sockaddr_in` or a `sockaddr_in6`.
    var raw: [UInt8] {
        let family = withUnsafeBytes(of: sa_family_t(address.family.number)) { Array($0) }
        let start = family + port.networkBytes
        return switch address {
        case .v4: start + address.bytes + [UInt8](repeating: 0, count: 8)
        case .v6: start + [0, 0, 0, 0] + address.bytes + [0, 0, 0, 0]
        }
    }

    /// Reads what the kernel wrote; nil for another family.
    init?(raw: ArraySlice<UInt8>) {
        guard let family = raw.first, raw.count >= 16 else { return nil }
        let body = raw.dropFirst(2)
        let port = UInt16(networkBytes: body.prefix(2))
        let bytes =
            family == UInt8(AF_INET) ? body.dropFirst(2).prefix(4) : body.dropFirst(6).prefix(16)
        guard let address = IPAddress(bytes: bytes) else { return nil }
        self.init(address, port: port)
    }
}
