public import NetTypes

/// What one rule admits: protocols, and ports or ICMP types where the protocol has them.
public enum Service: Hashable, Sendable {
    /// Every protocol, every port.
    case any
    /// TCP, UDP or SCTP. No numbers and no names means every port.
    case ports(IPProtocol, IntervalSet<UInt16>, names: [String])
    /// ICMP or ICMPv6. No messages means every message.
    case messages(IPProtocol, [ICMPMessage])
    /// A protocol without ports.
    case other(IPProtocol)

    /// The protocol; nil is every one.
    public var ipProtocol: IPProtocol? {
        switch self {
        case .any: nil
        case .ports(let number, _, _), .messages(let number, _), .other(let number): number
        }
    }
}

/// An ICMP or ICMPv6 type, with one code or all of them.
public struct ICMPMessage: Hashable, Sendable {
    public let type: UInt8
    public let code: UInt8?

    public init(type: UInt8, code: UInt8? = nil) {
        self.type = type
        self.code = code
    }

    /// The first 16 bits of the message, as conntrack keeps them where other protocols have the
    /// destination port: the type in the high byte, the code in the low one.
    public var range: ClosedRange<UInt16> {
        let high = UInt16(type) << 8
        return code.map { high | UInt16($0)...high | UInt16($0) } ?? high...(high | 0xff)
    }
}

/// A port name that a tenant declares for its endpoints.
public struct NamedPort: Hashable, Sendable {
    public let name: String
    public let ipProtocol: IPProtocol
    public let port: UInt16

    public init(name: String, ipProtocol: IPProtocol, port: UInt16) {
        self.name = name
        self.ipProtocol = ipProtocol
        self.port = port
    }
}
