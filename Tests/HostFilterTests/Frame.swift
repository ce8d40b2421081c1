import NetTypes

/// Frames between the endpoint and its peer.
enum Frame {
    static let peer6 = UInt128(0xfd00) << 112 | 2
    static let own: [IPAddress] = [.v4(0x0a00_0001), .v6(UInt128(0xfd00) << 112 | 1)]
    static let peers: [IPAddress] = [.v4(0x0a00_0002), .v6(peer6)]
    static let ownLink: [UInt8] = [2, 0, 0, 0, 0, 1]
    static let peerLink: [UInt8] = [2, 0, 0, 0, 0, 2]

    /// From the endpoint, or to it.
    static func ethernet(
        _ direction: Direction, _ type: UInt16, _ payload: [UInt8], source: [UInt8]? = nil
    ) -> [UInt8] {
        let (from, to) = direction == .egress ? (ownLink, peerLink) : (peerLink, ownLink)
        return to + (source ?? from) + type.bytes + payload
    }

    /// A packet of the endpoint to its peer, or the other way round.
    static func ip(
        _ direction: Direction, _ family: AddressFamily, _ ipProtocol: UInt8, _ payload: [UInt8],
        from source: IPAddress? = nil, to destination: IPAddress? = nil, hops: UInt8 = 64,
        fragment: UInt16 = 0, identification: UInt16 = 1, options: Int = 0, length: Int? = nil
    ) -> [UInt8] {
        let index = family == .v4 ? 0 : 1
        let (near, far) = (own[index], peers[index])
        let from = source ?? (direction == .egress ? near : far)
        let to = destination ?? (direction == .egress ? far : near)
        if family == .v4 {
            let total = UInt16(length ?? 20 + options * 4 + payload.count)
            let first: [UInt8] = [UInt8(0x45 + options), 0] + total.bytes + identification.bytes
            let second: [UInt8] = fragment.bytes + [hops, ipProtocol, 0, 0]
            let header = first + second + from.bytes + to.bytes
            return ethernet(
                direction, 0x0800,
                header + [UInt8](repeating: 1, count: options * 4) + payload)
        }
        let header: [UInt8] = [0x60, 0, 0, 0] + UInt16(length ?? payload.count).bytes
        let body = ipProtocol == 58 ? summed(payload, from, to) : payload
        let frame = ethernet(
            direction, 0x86dd, header + [ipProtocol, hops] + from.bytes + to.bytes + body)
        // A group's link-layer address: RFC 2464, 7.
        return to.bytes[0] == 0xff ? [0x33, 0x33] + to.bytes.suffix(4) + frame.dropFirst(6) : frame
    }

    /// An ICMPv6 message with its checksum in the place of zeros: RFC 4443, 2.3.
    private static func summed(
        _ message: [UInt8], _ source: IPAddress, _ destination: IPAddress
    ) -> [UInt8] {
        guard message.count >= 4, message[2] == 0, message[3] == 0 else { return message }
        let covered =
            source.bytes + destination.bytes + [0, 0] + UInt16(message.count).bytes
            + [0, 0, 0, 58] + message + [0]
        var sum: UInt32 = 0
        for index in stride(from: 0, to: covered.count - 1, by: 2) {
            sum += UInt32(covered[index]) << 8 | UInt32(covered[index + 1])
        }
        while sum > 0xffff { sum = sum & 0xffff + sum >> 16 }
        return message.prefix(2) + (~UInt16(sum)).bytes + message.dropFirst(4)
    }

    static func tcp(_ source: UInt16, _ destination: UInt16, _ flags: UInt8) -> [UInt8] {
        source.bytes + destination.bytes + [
            0, 0, 0, 1, 0, 0, 0, 1, 0x50, flags, 255, 255, 0, 0, 0, 0,
        ]
    }

    static func udp(_ source: UInt16, _ destination: UInt16, length: UInt16 = 12) -> [UInt8] {
        source.bytes + destination.bytes + length.bytes + [0, 0, 1, 2, 3, 4]
    }

    static func icmp(_ type: UInt8, _ code: UInt8 = 0, _ rest: [UInt8] = [0, 9, 0, 1]) -> [UInt8] {
        [type, code, 0, 0] + rest
    }

    /// ARP for IPv4 over Ethernet.
    static func arp(
        _ operation: UInt16, link: [UInt8], _ sender: IPAddress, about target: IPAddress = peers[0],
        at targetLink: [UInt8] = [0, 0, 0, 0, 0, 0]
    ) -> [UInt8] {
        let kind: [UInt8] = [0, 1, 8, 0, 6, 4]
        return kind + operation.bytes + link + sender.bytes + targetLink + target.bytes
    }

    /// Neighbour and router discovery with its four bytes of flags, from and to whom it may be.
    static func discovery(
        _ direction: Direction, _ type: UInt8, _ rest: [UInt8], code: UInt8 = 0,
        flags: [UInt8] = [0, 0, 0, 0], from source: IPAddress? = nil,
        to destination: IPAddress? = nil, hops: UInt8 = 255
    ) -> [UInt8] {
        ip(
            direction, .v6, 58, icmp(type, code, flags) + rest, from: source, to: destination,
            hops: hops)
    }

    /// The group in which whoever has the address is asked for: RFC 4291, 2.7.1.
    static func solicitedGroup(of address: IPAddress) -> IPAddress {
        let start: [UInt8] = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff]
        return IPAddress(bytes: start + address.bytes.suffix(3)) ?? address
    }

    static let allNodes = IPAddress.v6(UInt128(0xff02) << 112 | 1)
    static let allRouters = IPAddress.v6(UInt128(0xff02) << 112 | 2)
}

extension UInt16 {
    var bytes: [UInt8] { [UInt8(self >> 8), UInt8(self & 255)] }
}
