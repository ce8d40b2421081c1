private import CLinux
private import Glibc

/// A netlink socket of the routing family, in the namespace in which it was opened.
struct NetlinkSocket: ~Copyable, Sendable {
    let descriptor: Descriptor

    /// Opens it in the calling thread's namespace.
    ///
    /// The system calls are `socket`, `setsockopt` and `bind`.
    init(groups: [UInt32] = [], receiveBuffer: CInt, blocking: Bool) throws(SystemError) {
        let type = SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue
        let flags = CInt(type | (blocking ? 0 : SOCK_NONBLOCK.rawValue))
        let descriptor = Descriptor(
            owning: try check("socket", on: "NETLINK_ROUTE") {
                socket(AF_NETLINK, flags, NETLINK_ROUTE)
            })
        try Self.set(descriptor.rawValue, SOL_SOCKET, SO_RCVBUFFORCE, receiveBuffer)
        try Self.set(descriptor.rawValue, SOL_NETLINK, NETLINK_EXT_ACK, 1)
        try Self.set(descriptor.rawValue, SOL_NETLINK, NETLINK_CAP_ACK, 1)
        var address = sockaddr_nl()
        address.nl_family = sa_family_t(AF_NETLINK)
        try check("bind", on: "NETLINK_ROUTE") {
            withUnsafeBytes(of: &address) { bytes in
                bind(
                    descriptor.rawValue, bytes.assumingMemoryBound(to: sockaddr.self).baseAddress,
                    socklen_t(bytes.count))
            }
        }
        try check("connect", on: "NETLINK_ROUTE") { connectToKernel(descriptor.rawValue) }
        for group in groups {
            try Self.set(
                descriptor.rawValue, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, CInt(group))
        }
        self.descriptor = descriptor
    }

    private static func set(
        _ socket: CInt, _ level: CInt, _ option: CInt, _ value: CInt
    ) throws(SystemError) {
        var value = value
        try check("setsockopt", on: "NETLINK_ROUTE option \(option)") {
            setsockopt(socket, level, option, &value, socklen_t(MemoryLayout<CInt>.size))
        }
    }

    /// Sends one datagram.
    ///
    /// The system call is `send`.
    borrowing func send(_ bytes: [UInt8]) throws(SystemError) {
        try check("send", on: "NETLINK_ROUTE") {
            Glibc.send(descriptor.rawValue, bytes, bytes.count, 0)
        }
    }

    /// One datagram of the kernel's.
    ///
    /// The system call is `recvfrom`.
    borrowing func receive() throws(SystemError) -> [UInt8] {
        let capacity = 64 << 10
        var failure: SystemError?
        // What the call doesn't write is not part of the array, so nothing is cleared first.
        let bytes = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
            do throws(SystemError) {
                let length = try check("recv", on: "NETLINK_ROUTE") {
                    receiveFromKernel(
                        descriptor.rawValue, buffer.baseAddress, capacity, flags: CInt(MSG_TRUNC))
                }
                if length > capacity { throw SystemError("recv", code: EMSGSIZE) }
                count = length
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return bytes
    }
}
