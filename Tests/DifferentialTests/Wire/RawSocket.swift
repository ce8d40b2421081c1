import Glibc
import Linux
import NetTypes

/// A socket that sends whole IP packets out of its namespace, headers included.
struct RawSocket: ~Copyable {
    private let descriptor: Descriptor
    private let interface: UInt32

    /// Opens the socket in the calling thread's namespace.
    init(_ family: AddressFamily) throws(SystemError) {
        let domain = family == .v4 ? AF_INET : AF_INET6
        let raw = try check("socket", on: "raw \(family)") {
            socket(domain, CInt(SOCK_RAW.rawValue) | Self.closeOnExec, CInt(IPPROTO_RAW))
        }
        let owned = Descriptor(owning: raw)
        var on: CInt = 1
        try check("setsockopt", on: "SO_BROADCAST") {
            setsockopt(raw, SOL_SOCKET, SO_BROADCAST, &on, socklen_t(MemoryLayout<CInt>.size))
        }
        descriptor = owned
        interface = if_nametoindex(Tunnel.name)
    }

    /// Sends a packet; that a filter dropped it is no error.
    func send(_ packet: [UInt8], to destination: IPAddress) throws(SystemError) {
        let sent =
            switch destination {
            case .v4(let number): send(packet, to: address4(number))
            case .v6: send(packet, to: address6(destination.bytes))
            }
        guard sent < 0, errno != EPERM else { return }
        throw SystemError("sendto", on: destination.description, code: errno)
    }

    private func address4(_ number: UInt32) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = number.bigEndian
        return address
    }

    private func address6(_ bytes: [UInt8]) -> sockaddr_in6 {
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        withUnsafeMutableBytes(of: &address.sin6_addr) { $0.copyBytes(from: bytes) }
        let isLinkScoped = bytes[0] == 0xfe && bytes[1] & 0xc0 == 0x80 || bytes[0] == 0xff
        address.sin6_scope_id = isLinkScoped ? interface : 0
        return address
    }

    private func send<Address>(_ packet: [UInt8], to address: Address) -> Int {
        withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(
                    descriptor.rawValue, packet, packet.count, 0, $0,
                    socklen_t(MemoryLayout<Address>.size))
            }
        }
    }

    /// SOCK_CLOEXEC of bits/socket_type.h.
    private static let closeOnExec: CInt = 0o2000000
}
