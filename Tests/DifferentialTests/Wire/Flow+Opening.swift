import NetTypes
import Policy

/// What refused packets without a flow are kept by, beside their addresses.
struct PacketKey {
    let ipProtocol: UInt8
    /// The ports; of a protocol without ports the first 16 bits behind the IP headers, twice.
    let words: (UInt16, UInt16)

    init(ipProtocol: UInt8, words: (UInt16, UInt16)) {
        self.ipProtocol = ipProtocol
        self.words = words
    }

    init(ipProtocol: UInt8, start: UInt16) {
        self.init(ipProtocol: ipProtocol, words: (start, start))
    }

    init(_ flow: Flow) {
        ipProtocol = flow.ipProtocol.rawValue
        let isICMP = flow.ipProtocol.isICMP
        words =
            flow.ipProtocol.hasPorts
            ? (flow.sourcePort, flow.destinationPort)
            : isICMP ? (flow.destinationPort, flow.destinationPort) : (0, 0)
    }
}

extension Flow {
    /// What opens the flow behind the IP headers, longer than needed by some bytes.
    func opening(padding: Int = 0) -> [UInt8] {
        let ports = sourcePort.networkBytes + destinationPort.networkBytes
        let rest = [UInt8](repeating: 0x2e, count: padding)
        switch ipProtocol {
        case .tcp:
            // A sequence number, none to acknowledge, 20 bytes of header, SYN, a window.
            return ports + [0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x02, 0xff, 0xff, 0, 0, 0, 0] + rest
        case .udp:
            return ports + UInt16(16 + padding).networkBytes + [0, 0]
                + [UInt8](repeating: 0x2e, count: 8) + rest
        case .sctp:
            // No tag yet, then the chunk INIT (RFC 9260): tag, window, streams, first number. It
            // must be the only chunk, so more bytes are parameters of it.
            return ports + [0, 0, 0, 0, 0, 0, 0, 0, 1, 0] + UInt16(20 + padding).networkBytes
                + [0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1] + rest
        case .icmp, .icmpv6:
            return destinationPort.networkBytes + [0, 0] + sourcePort.networkBytes
                + [0, 1] + [UInt8](repeating: 0x2e, count: 32) + rest
        default: return [UInt8](repeating: 0, count: 16 + padding)
        }
    }

    /// The shortest start of the opening that tells the host filter all that it asks for.
    var shortestOpening: Int {
        switch ipProtocol {
        case .tcp: 20
        case .udp, .icmp, .icmpv6: 8
        // With the type of the first chunk.
        case .sctp: 16
        default: 0
        }
    }

    /// The flow as its answers show it: for ICMP, with the answer's type.
    var answer: Flow {
        Flow(
            source: destination, destination: source, ipProtocol: ipProtocol,
            sourcePort: ipProtocol.isICMP ? sourcePort : destinationPort,
            destinationPort: ipProtocol.isICMP ? answeringMessage : sourcePort)
    }

    private var answeringMessage: UInt16 {
        let (type, code) = (destinationPort >> 8, destinationPort & 0xff)
        return (ipProtocol == .icmp && type == 8 ? 0 : type &+ 1) << 8 | code
    }
}
