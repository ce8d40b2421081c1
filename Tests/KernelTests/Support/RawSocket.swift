import Glibc
import Linux
import NetTypes

/// A socket that sends packets with headers of one's own, or hears what a namespace takes in.
struct RawSocket: ~Copyable, Sendable {
    private let descriptor: Descriptor
    private let family: AddressFamily

    /// One that sends whole packets, past no filter of the namespace.
    ///
    /// The protocol is IPPROTO_RAW.
    static func sender(_ family: AddressFamily, in name: String, of rig: Rig) throws -> RawSocket {
        try RawSocket(family, ipProtocol: 255, in: name, of: rig)
    }

    /// One that hears the packets of a protocol that the input chain has let in.
    static func listener(
        _ family: AddressFamily, _ ipProtocol: UInt8, in name: String, of rig: Rig
    ) throws -> RawSocket {
        try RawSocket(family, ipProtocol: ipProtocol, in: name, of: rig)
    }

    private init(
        _ family: AddressFamily, ipProtocol: UInt8, in name: String, of rig: Rig
    ) throws {
        self.family = family
        let raw = try rig.namespace(name).run { () throws(SystemError) in
            try check("socket", on: "SOCK_RAW") {
                socket(
                    family == .v4 ? AF_INET : AF_INET6,
                    CInt(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue), CInt(ipProtocol))
            }
        }
        let opened = Descriptor(owning: raw)
        var one: CInt = 1
        try check("setsockopt", on: "SO_BROADCAST") {
            setsockopt(raw, SOL_SOCKET, SO_BROADCAST, &one, socklen_t(MemoryLayout<CInt>.size))
        }
        descriptor = opened
    }

    /// Sends a packet; gives the error where the namespace's own filter refuses.
    @discardableResult
    func send(_ packet: Wire.Packet) -> CInt {
        var address = [UInt8](repeating: 0, count: 28)
        address[0] = UInt8(family == .v4 ? AF_INET : AF_INET6)
        let offset = family == .v4 ? 4 : 8
        let destination = packet.destination.bytes
        address.replaceSubrange(offset..<offset + destination.count, with: destination)
        let length = socklen_t(family == .v4 ? 16 : 28)
        let bytes = packet.bytes
        let count = address.withUnsafeBytes { address in
            sendto(
                descriptor.rawValue, bytes, bytes.count, 0,
                address.assumingMemoryBound(to: sockaddr.self).baseAddress, length)
        }
        return count < 0 ? errno : 0
    }

    /// The payloads that have come, without IPv4 headers.
    func received() throws -> [[UInt8]] {
        var found: [[UInt8]] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = recv(descriptor.rawValue, &buffer, buffer.count, CInt(MSG_DONTWAIT))
            if count < 0 {
                if errno == EAGAIN { return found }
                throw SystemError("recv", on: "SOCK_RAW", code: errno)
            }
            let header = family == .v4 ? Int(buffer[0] & 0xf) * 4 : 0
            found.append(Array(buffer[min(header, count)..<count]))
        }
    }
}
