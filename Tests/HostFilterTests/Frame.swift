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
        return ethernet(
            direction, 0x86dd, header + [ipProtocol, hops] + from.bytes + to.bytes + payload)
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
    static func arp(_ operation: UInt16, link: [UInt8], _ sender: IPAddress) -> [UInt8] {
        let kind: [UInt8] = [0, 1, 8, 0, 6, 4]
        return kind + operation.bytes + link + sender.bytes + [0, 0, 0, 0, 0, 0] + peers[0].bytes
    }
}

extension UInt16 {
    var bytes: [UInt8] { [UInt8(self >> 8), UInt8(self & 255)] }
}
