import NetTypes
import Policy

/// A raw IP packet that opens a flow; the number in its header tells it from others.
struct Packet {
    let flow: Flow
    /// The identification of IPv4 or the flow label of IPv6; never 0.
    let number: UInt16

    /// By which packets are told from those that the kernel makes.
    static let timeToLive: UInt8 = 77

    /// The first four bytes behind the IP header, which refused packets without a flow are kept by.
    var ports: (source: UInt16, destination: UInt16) {
        if flow.ipProtocol.isICMP { return (flow.destinationPort, 0) }
        return flow.ipProtocol.hasPorts ? (flow.sourcePort, flow.destinationPort) : (0, 0)
    }

    var bytes: [UInt8] {
        let payload = self.payload
        switch (flow.source, flow.destination) {
        case (.v4(let source), .v4(let destination)):
            return header4(source, destination, payload.count) + payload
        default:
            return header6(payload.count) + payload
        }
    }

    private func header4(_ source: UInt32, _ destination: UInt32, _ length: Int) -> [UInt8] {
        let protocolAndLife = UInt16(Self.timeToLive) << 8 | UInt16(flow.ipProtocol.rawValue)
        var words: [UInt16] = [
            0x4500, UInt16(20 + length), number, 0, protocolAndLife, 0,
            UInt16(source >> 16), UInt16(source & 0xffff),
            UInt16(destination >> 16), UInt16(destination & 0xffff),
        ]
        var sum = words.reduce(UInt32(0)) { $0 + UInt32($1) }
        while sum >> 16 != 0 { sum = sum & 0xffff + sum >> 16 }
        words[5] = ~UInt16(sum)
        return words.flatMap(\.networkBytes)
    }

    private func header6(_ length: Int) -> [UInt8] {
        (UInt32(6) << 28 | UInt32(number)).networkBytes + UInt16(length).networkBytes
            + [flow.ipProtocol.rawValue, Self.timeToLive] + flow.source.bytes
            + flow.destination.bytes
    }

    private var payload: [UInt8] {
        let ports = flow.sourcePort.networkBytes + flow.destinationPort.networkBytes
        switch flow.ipProtocol {
        case .tcp:
            // A sequence number, none to acknowledge, 20 bytes of header, SYN, a window.
            return ports + [0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x02, 0xff, 0xff, 0, 0, 0, 0]
        case .udp: return ports + [0, 16, 0, 0] + [UInt8](repeating: 0x2e, count: 8)
        case .sctp:
            // No tag yet, then the chunk INIT (RFC 9260): tag, window, streams, first number.
            return ports + [0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 20]
                + [0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1]
        case .icmp, .icmpv6:
            return flow.destinationPort.networkBytes + [0, 0] + flow.sourcePort.networkBytes
                + [0, 1] + [UInt8](repeating: 0x2e, count: 32)
        default: return [UInt8](repeating: 0, count: 16)
        }
    }
}
