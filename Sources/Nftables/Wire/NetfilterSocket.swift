internal import CNetfilter
internal import Glibc
public import Linux

/// A NETLINK_NETFILTER socket, bound to the namespace in which it was opened.
public struct NetfilterSocket: ~Copyable, Sendable {
    let descriptor: Descriptor
    /// The address that the kernel knows as a table's owner.
    public let port: UInt32

    /// The socket, for a poller.
    public var rawValue: CInt { descriptor.rawValue }

    /// Opens a socket in the calling thread's namespace; system calls only.
    ///
    /// The buffer sizes are limits, not allocations: a whole batch has to go out, and all its
    /// answers come back, in one piece.
    public init(receiveBuffer: Int = 32 << 20) throws(SystemError) {
        let raw = try check("socket", on: "NETLINK_NETFILTER") {
            socket(AF_NETLINK, CInt(SOCK_RAW.rawValue) | Self.closeOnExec, Self.netfilter)
        }
        let owned = Descriptor(owning: raw)
        try Self.set(raw, SOL_SOCKET, SO_SNDBUFFORCE, 64 << 20)
        try Self.set(raw, SOL_SOCKET, SO_RCVBUFFORCE, CInt(receiveBuffer))
        try Self.set(raw, Self.solNetlink, Self.extendedAcknowledgement, 1)
        try Self.set(raw, Self.solNetlink, Self.cappedAcknowledgement, 1)
        port = try Self.bindAnywhere(raw)
        descriptor = owned
    }

    /// Lets the kernel choose the socket's address, and gives it.
    private static func bindAnywhere(_ raw: CInt) throws(SystemError) -> UInt32 {
        var address = sockaddr_nl()
        address.nl_family = sa_family_t(AF_NETLINK)
        var length = socklen_t(MemoryLayout<sockaddr_nl>.size)
        try withUnsafeMutablePointer(to: &address) { pointer throws(SystemError) in
            try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                generic throws(SystemError) in
                _ = try check("bind", on: "NETLINK_NETFILTER") { bind(raw, generic, length) }
                _ = try check("getsockname") { getsockname(raw, generic, &length) }
            }
        }
        return address.nl_pid
    }

    /// Sends one datagram.
    func send(_ bytes: UnsafeRawBufferPointer) throws(SystemError) {
        try check("sendto", on: "NETLINK_NETFILTER") {
            Glibc.send(descriptor.rawValue, bytes.baseAddress, bytes.count, 0)
        }
    }

    /// The next datagram; nil when none is waiting.
    ///
    /// ENOBUFS is thrown as it is: something was lost.
    func receive() throws(SystemError) -> [UInt8]? {
        let size = recv(
            descriptor.rawValue, nil, 0, CInt(MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT))
        if size < 0 {
            if errno == EAGAIN { return nil }
            if errno == EINTR { return try receive() }
            throw SystemError("recv", on: "NETLINK_NETFILTER", code: errno)
        }
        let bytes = [UInt8](unsafeUninitializedCapacity: max(size, 1)) { buffer, count in
            count = max(
                recv(descriptor.rawValue, buffer.baseAddress, size, CInt(MSG_DONTWAIT)), 0)
        }
        return bytes
    }

    /// Waits until something can be received; false when the time is up.
    func wait(milliseconds: CInt) throws(SystemError) -> Bool {
        var polled = pollfd(fd: descriptor.rawValue, events: Int16(POLLIN), revents: 0)
        return try check("poll") { poll(&polled, 1, milliseconds) } > 0
    }

    private static func set(
        _ socket: CInt, _ level: CInt, _ name: CInt, _ value: CInt
    ) throws(SystemError) {
        var value = value
        try check("setsockopt", on: "NETLINK_NETFILTER option \(name)") {
            setsockopt(socket, level, name, &value, socklen_t(MemoryLayout<CInt>.size))
        }
    }

    /// Of bits/socket_type.h, linux/netlink.h and linux/socket.h.
    private static let closeOnExec: CInt = 0o2000000
    private static let netfilter: CInt = 12
    private static let solNetlink: CInt = 270
    private static let cappedAcknowledgement: CInt = 10
    private static let extendedAcknowledgement: CInt = 11
}
