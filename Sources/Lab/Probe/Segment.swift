import NetTypes
import Policy

/// Segments that a packet probe sends, and the answers that it knows.
enum Segment {
    /// A SYN without data (RFC 9293).
    static func syn(_ flow: Flow, number: UInt32) -> [UInt8] {
        let header =
            flow.sourcePort.networkBytes + flow.destinationPort.networkBytes
            + number.networkBytes + [0, 0, 0, 0]
            // Five words, SYN, a window of 1024, no checksum yet, nothing urgent.
            + [0x50, 0x02, 0x04, 0x00, 0, 0, 0, 0]
        let sum = checksum(pseudoHeader(flow, length: header.count, ipProtocol: .tcp) + header)
        return Array(header[..<16]) + sum.networkBytes + Array(header[18...])
    }

    /// An echo request without data (RFC 792, RFC 4443).
    static func echo(_ flow: Flow, identifier: UInt16) -> [UInt8] {
        let type: UInt8 = flow.ipProtocol == .icmp ? 8 : 128
        let message = [type, 0, 0, 0] + identifier.networkBytes + [0, 1]
        // The kernel puts in the checksum of ICMPv6, which covers the addresses.
        guard flow.ipProtocol == .icmp else { return message }
        return [type, 0] + checksum(message).networkBytes + Array(message[4...])
    }

    /// Whether what came in answers the SYN: a reset, or a SYN of the other side.
    static func answersSyn(_ bytes: [UInt8], _ flow: Flow, number: UInt32) -> Bool {
        let segment = bytes.withoutHeader(flow.source.family)
        guard segment.count >= 20 else { return false }
        let flags = segment[13]
        return UInt16(networkBytes: segment[0..<2]) == flow.destinationPort
            && UInt16(networkBytes: segment[2..<4]) == flow.sourcePort
            && UInt32(networkBytes: segment[8..<12]) == number &+ 1
            && (flags & 0x04 != 0 || flags & 0x12 == 0x12)
    }

    /// Whether what came in is the reply to the echo request.
    static func answersEcho(_ bytes: [UInt8], _ flow: Flow, identifier: UInt16) -> Bool {
        let message = bytes.withoutHeader(flow.source.family)
        let type: UInt8 = flow.ipProtocol == .icmp ? 0 : 129
        return message.count >= 8 && message[0] == type
            && UInt16(networkBytes: message[4..<6]) == identifier
    }

    private static func pseudoHeader(
        _ flow: Flow, length: Int, ipProtocol: IPProtocol
    ) -> [UInt8] {
        let ends = flow.source.bytes + flow.destination.bytes
        return flow.source.family == .v4
            ? ends + [0, ipProtocol.rawValue] + UInt16(clamping: length).networkBytes
            : ends + UInt32(clamping: length).networkBytes + [0, 0, 0, ipProtocol.rawValue]
    }

    /// The Internet checksum (RFC 1071).
    static func checksum(_ bytes: [UInt8]) -> UInt16 {
        var sum: UInt32 = 0
        for start in stride(from: 0, to: bytes.count, by: 2) {
            let low = start + 1 < bytes.count ? UInt32(bytes[start + 1]) : 0
            sum += UInt32(bytes[start]) << 8 | low
        }
        while sum >> 16 != 0 { sum = sum & 0xffff + sum >> 16 }
        return ~UInt16(truncatingIfNeeded: sum)
    }
}

extension [UInt8] {
    /// What follows the IP header, which raw sockets show with IPv4 only.
    fileprivate func withoutHeader(_ family: AddressFamily) -> [UInt8] {
        guard family == .v4, let first else { return self }
        return Array(dropFirst(Int(first & 0x0f) * 4))
    }
}
