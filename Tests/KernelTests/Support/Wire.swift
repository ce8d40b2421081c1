import Glibc
import Linux
import NetTypes

/// Packets as they stand on the wire, whole or wrong.
enum Wire {
    /// An IP packet; the kernel fills in what is left 0 of an IPv4 header.
    struct Packet {
        var source: IPAddress
        var destination: IPAddress
        var ipProtocol: UInt8
        var payload: [UInt8]
        var hopLimit: UInt8 = 64
        /// The fragment's number, its place in bytes, and whether more follow.
        var fragment: (id: UInt16, offset: Int, hasMore: Bool)?
        /// Extension headers before the payload, by their numbers, each 8 bytes of padding.
        var extensions: [UInt8] = []

        var bytes: [UInt8] { source.family == .v4 ? bytes4 : bytes6 }

        private var bytes4: [UInt8] {
            let field = fragment.map { UInt16($0.offset / 8) | ($0.hasMore ? 0x2000 : 0) } ?? 0
            return [0x45, 0] + UInt16(20 + payload.count).networkBytes
                + (fragment?.id ?? 0).networkBytes + field.networkBytes + [
                    hopLimit, ipProtocol, 0, 0,
                ]
                + source.bytes + destination.bytes + payload
        }

        private var bytes6: [UInt8] {
            var body: [UInt8] = []
            let headers = extensions + (fragment == nil ? [] : [44])
            for (index, header) in headers.enumerated() {
                let next = index + 1 < headers.count ? headers[index + 1] : ipProtocol
                if header == 44, let fragment {
                    let field = UInt16(fragment.offset) | (fragment.hasMore ? 1 : 0)
                    body += [next, 0] + field.networkBytes + UInt32(fragment.id).networkBytes
                } else if header == 43 {
                    // A routing header of an unused type without segments left: RFC 8200, 4.4.
                    body += [next, 0, 1, 0, 0, 0, 0, 0]
                } else {
                    // PadN of four bytes.
                    body += [next, 0, 1, 4, 0, 0, 0, 0]
                }
            }
            body += payload
            return [0x60, 0, 0, 0] + UInt16(body.count).networkBytes
                + [headers.first ?? ipProtocol, hopLimit] + source.bytes + destination.bytes + body
        }
    }

    static func udp(
        from source: SocketAddress, to destination: SocketAddress, _ text: [UInt8]
    ) -> [UInt8] {
        let header =
            source.port.networkBytes + destination.port.networkBytes
            + UInt16(8 + text.count).networkBytes
        let sum = checksum(header + [0, 0] + text, 17, source.address, destination.address)
        return header + sum.networkBytes + text
    }

    /// A segment with these flags: 2 SYN, 4 RST, 16 ACK.
    static func tcp(
        from source: SocketAddress, to destination: SocketAddress, flags: UInt8
    ) -> [UInt8] {
        let start =
            source.port.networkBytes + destination.port.networkBytes
            + UInt32(1_000_000).networkBytes + UInt32(2_000_000).networkBytes
            + [0x50, flags, 0xff, 0xff]
        let sum = checksum(start + [0, 0, 0, 0], 6, source.address, destination.address)
        return start + sum.networkBytes + [0, 0]
    }

    /// An ICMP or ICMPv6 message; the rest begins with the four bytes after the checksum.
    static func message(
        _ type: UInt8, _ code: UInt8 = 0, from source: IPAddress, to destination: IPAddress,
        _ rest: [UInt8]
    ) -> [UInt8] {
        let sum =
            source.family == .v4
            ? complement(of: [type, code, 0, 0] + rest)
            : checksum([type, code, 0, 0] + rest, 58, source, destination)
        return [type, code] + sum.networkBytes + rest
    }

    /// Over the pseudo header of RFC 768 and RFC 8200, and the rest.
    private static func checksum(
        _ bytes: [UInt8], _ ipProtocol: UInt8, _ source: IPAddress, _ destination: IPAddress
    ) -> UInt16 {
        complement(
            of: source.bytes + destination.bytes + UInt32(bytes.count).networkBytes
                + [0, 0, 0, ipProtocol] + bytes)
    }

    static func complement(of bytes: [UInt8]) -> UInt16 {
        var sum: UInt32 = 0
        for index in stride(from: 0, to: bytes.count, by: 2) {
            let low = index + 1 < bytes.count ? bytes[index + 1] : 0
            sum += UInt32(bytes[index]) << 8 | UInt32(low)
        }
        while sum > 0xffff { sum = sum & 0xffff + sum >> 16 }
        return ~UInt16(sum)
    }
}
