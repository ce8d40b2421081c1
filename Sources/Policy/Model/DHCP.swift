public import NetTypes

/// Messages between a DHCP client and the servers that its tenant names.
///
/// Rules have no source ports, and messages of DHCP are told by both of theirs (RFC 2131, 4.1; RFC 8415, 7.2). So
/// rules about them are about a protocol number of their own, which no packet has together with a port.
public enum DHCP {
    /// The number that stands for the messages; 0 is no last header of a packet (RFC 8200, 4.3).
    public static let ipProtocol = IPProtocol(rawValue: 0)

    static let ports4 = (client: UInt16(68), server: UInt16(67))
    static let ports6 = (client: UInt16(546), server: UInt16(547))

    /// Where clients look for servers: 255.255.255.255, and ff02::1:2 of IPv6.
    static let broadcast = IPAddress.v4(.max)
    static let servers6 = IPAddress.v6(UInt128(0xff02) << 112 | 0x1_0002)

    /// The ports of a family's clients and servers.
    public static func ports(_ family: AddressFamily) -> (client: UInt16, server: UInt16) {
        family == .v4 ? ports4 : ports6
    }

    /// The destination port of a flow at the client's end that is a message of DHCP.
    ///
    /// - Parameters:
    ///   - flow: A flow with its source port.
    ///   - direction: Egress for what the client says, ingress for what it is told.
    /// - Returns: Nil for any other flow.
    public static func port(of flow: Flow, _ direction: Direction) -> UInt16? {
        guard flow.ipProtocol == .udp else { return nil }
        let ports = ports(flow.source.family)
        let (from, to) =
            direction == .egress ? (ports.client, ports.server) : (ports.server, ports.client)
        return flow.sourcePort == from && flow.destinationPort == to ? to : nil
    }

    /// Whether a client without an address looks for servers of IPv4.
    public static func isDiscovery(_ flow: Flow) -> Bool {
        flow.source == .v4(0) && flow.destination == broadcast && port(of: flow, .egress) != nil
    }
}

extension Service {
    /// Messages of DHCP to these ports.
    static func dhcp(_ ports: [UInt16]) -> Service {
        .ports(DHCP.ipProtocol, IntervalSet(ports.map { $0...$0 }), names: [])
    }

    /// Whether it is about messages of DHCP, and not about packets by their protocol and port.
    public var isDHCP: Bool {
        if case .ports(DHCP.ipProtocol, _, _) = self { true } else { false }
    }
}
