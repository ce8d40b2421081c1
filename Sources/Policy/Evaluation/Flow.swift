public import NetTypes

/// A connection as its first packet shows it.
public struct Flow: Hashable, Sendable {
    public let source: IPAddress
    public let destination: IPAddress
    public let ipProtocol: IPProtocol
    public let sourcePort: UInt16
    /// The first 16 bits of the message for ICMP (type, then code); 0 where there are no ports.
    public let destinationPort: UInt16

    public init(
        source: IPAddress, destination: IPAddress, ipProtocol: IPProtocol,
        sourcePort: UInt16 = 0, destinationPort: UInt16 = 0
    ) {
        self.source = source
        self.destination = destination
        self.ipProtocol = ipProtocol
        self.sourcePort = sourcePort
        self.destinationPort = destinationPort
    }

    /// A flow that an ICMP or ICMPv6 message opens.
    public init(
        source: IPAddress, destination: IPAddress, ipProtocol: IPProtocol, type: UInt8,
        code: UInt8
    ) {
        self.init(
            source: source, destination: destination, ipProtocol: ipProtocol,
            destinationPort: UInt16(type) << 8 | UInt16(code))
    }

    /// The address across from an endpoint for which the flow has that direction.
    func peer(_ direction: Direction) -> IPAddress {
        direction == .egress ? destination : source
    }
}
