import Glibc
import Linux
import NetTypes

/// Sees every packet that comes in through the fabric's end of a namespace's link, that is
/// everything that the namespace has let out.
struct Sniffer: ~Copyable, Sendable {
    private let descriptor: Descriptor

    init(outOf name: String, of rig: Rig) throws {
        let link = "rf-" + name
        let raw = try rig.namespace("host").run { () throws(SystemError) in
            try Self.open(link)
        }
        descriptor = Descriptor(owning: raw)
    }

    private static func open(_ link: String) throws(SystemError) -> CInt {
        let everything = CInt(UInt16(0x0003).bigEndian)
        let raw = try check("socket", on: "AF_PACKET") {
            socket(AF_PACKET, CInt(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), everything)
        }
        // struct sockaddr_ll of linux/if_packet.h: the family, the protocol, the link, and padding.
        let family = withUnsafeBytes(of: sa_family_t(AF_PACKET)) { Array($0) }
        let index = withUnsafeBytes(of: if_nametoindex(link)) { Array($0) }
        let address = family + [0, 3] + index + [UInt8](repeating: 0, count: 12)
        try check("bind", on: link) {
            address.withUnsafeBytes { bytes in
                bind(
                    raw, bytes.assumingMemoryBound(to: sockaddr.self).baseAddress,
                    socklen_t(bytes.count))
            }
        }
        return raw
    }

    /// The network packets that have passed since the last look.
    func packets() throws -> [[UInt8]] {
        var found: [[UInt8]] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(descriptor.rawValue, &buffer, buffer.count, CInt(MSG_DONTWAIT))
            if count < 0 {
                if errno == EAGAIN { return found }
                throw SystemError("recv", on: "AF_PACKET", code: errno)
            }
            found.append(Array(buffer[..<count]))
        }
    }
}
