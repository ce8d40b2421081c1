internal import CNetfilter
internal import Glibc
public import Linux
public import NetTypes

/// A NETLINK_NETFILTER socket, bound to the namespace in which it was opened.
public struct NetfilterSocket: ~Copyable, Sendable {
    let descriptor: Descriptor
    /// The address that the kernel knows as a table's owner.
    public let port: UInt32

    /// Errors that a test wants to see at a call; nil otherwise.
    private let faults: (any SocketFaults)?

    /// The socket, for a poller.
    public var rawValue: CInt { descriptor.rawValue }

    /// Opens a socket in the calling thread's namespace; system calls only.
    ///
    /// The buffer sizes are limits, not allocations: a whole batch has to go out, and all its
    /// answers come back, in one piece.
    public init(
        receiveBuffer: Int = 32 << 20, faults: (any SocketFaults)? = nil
    ) throws(SystemError) {
        let raw = try check("socket", on: "NETLINK_NETFILTER") {
            socket(AF_NETLINK, CInt(SOCK_RAW.rawValue) | Self.closeOnExec, Self.netfilter)
        }
        let owned = Descriptor(owning: raw)
        try Self.set(raw, SOL_SOCKET, SO_SNDBUFFORCE, 64 << 20)
        try Self.set(raw, SOL_SOCKET, SO_RCVBUFFORCE, CInt(receiveBuffer))
        try Self.set(raw, Self.solNetlink, Self.extendedAcknowledgement, 1)
        try Self.set(raw, Self.solNetlink, Self.cappedAcknowledgement, 1)
        let address = try Self.bindAnywhere(raw)
        try Self.hearOnlyKernel(raw)
        port = address
        descriptor = owned
        self.faults = faults
    }

    /// Takes a socket over that another process opened in the namespace and bound.
    ///
    /// Throws EINVAL where it is another kind of socket, or another namespace's. The system calls
    /// are `getsockopt`, `ioctl` with SIOCGSKNS and `getsockname`.
    public init(adopting descriptor: consuming Descriptor, of id: NamespaceID) throws(SystemError) {
        let raw = descriptor.rawValue
        let domain = try Self.number(raw, SO_DOMAIN)
        let number = try Self.number(raw, SO_PROTOCOL)
        let owner = try Self.namespace(of: raw)
        guard domain == AF_NETLINK, number == Self.netfilter, owner == id else {
            throw SystemError("adopt", on: "a socket that is not of \(id)", code: EINVAL)
        }
        let address = try Self.address(of: raw)
        try Self.hearOnlyKernel(raw)
        port = address
        self.descriptor = descriptor
        faults = nil
    }

    private static func number(_ socket: CInt, _ option: CInt) throws(SystemError) -> CInt {
        var value: CInt = 0
        var length = socklen_t(MemoryLayout<CInt>.size)
        try check("getsockopt", on: "option \(option)") {
            getsockopt(socket, SOL_SOCKET, option, &value, &length)
        }
        return value
    }

    private static func namespace(of socket: CInt) throws(SystemError) -> NamespaceID {
        let namespace = Descriptor(
            owning: try check("ioctl(SIOCGSKNS)") { ioctl(socket, Self.namespaceOfSocket) })
        var status = stat()
        try check("fstat") { fstat(namespace.rawValue, &status) }
        return NamespaceID(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    }

    /// Lets the kernel choose the socket's address, and gives it.
    private static func bindAnywhere(_ raw: CInt) throws(SystemError) -> UInt32 {
        var address = sockaddr_nl()
        address.nl_family = sa_family_t(AF_NETLINK)
        let length = socklen_t(MemoryLayout<sockaddr_nl>.size)
        try withUnsafeMutablePointer(to: &address) { pointer throws(SystemError) in
            try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                generic throws(SystemError) in
                _ = try check("bind", on: "NETLINK_NETFILTER") { bind(raw, generic, length) }
            }
        }
        return try Self.address(of: raw)
    }

    private static func hearOnlyKernel(_ raw: CInt) throws(SystemError) {
        try check("connect", on: "NETLINK_NETFILTER") { connectToKernel(raw) }
    }

    private static func address(of raw: CInt) throws(SystemError) -> UInt32 {
        var address = sockaddr_nl()
        var length = socklen_t(MemoryLayout<sockaddr_nl>.size)
        try withUnsafeMutablePointer(to: &address) { pointer throws(SystemError) in
            try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                generic throws(SystemError) in
                _ = try check("getsockname") { getsockname(raw, generic, &length) }
            }
        }
        return address.nl_pid
    }

    /// Sends one datagram.
    func send(_ bytes: UnsafeRawBufferPointer) throws(SystemError) {
        try check("sendto", on: "NETLINK_NETFILTER") {
            if let code = faults?.error(at: .send) { return Self.failure(code) }
            return Glibc.send(descriptor.rawValue, bytes.baseAddress, bytes.count, 0)
        }
    }

    /// The kernel's next datagram, which may stay where it is; nil when none is waiting.
    ///
    /// ENOBUFS is thrown as it is: something was lost.
    func receive(leaving stays: Bool = false) throws(SystemError) -> [UInt8]? {
        let flags = CInt(MSG_DONTWAIT | (stays ? MSG_PEEK : 0))
        do throws(SystemError) {
            let size = try check("recv", on: "NETLINK_NETFILTER") {
                if let code = faults?.error(at: .receive) { return Self.failure(code) }
                return receiveFromKernel(
                    descriptor.rawValue, nil, 0, flags: CInt(MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT))
            }
            return [UInt8](unsafeUninitializedCapacity: max(size, 1)) { buffer, count in
                count = max(recv(descriptor.rawValue, buffer.baseAddress, size, flags), 0)
            }
        } catch {
            if error.code == EAGAIN { return nil }
            throw error
        }
    }

    private static func failure(_ code: CInt) -> Int {
        errno = code
        return -1
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
    /// SIOCGSKNS of linux/sockios.h.
    private static let namespaceOfSocket: UInt = 0x894c
    private static let solNetlink: CInt = 270
    private static let cappedAcknowledgement: CInt = 10
    private static let extendedAcknowledgement: CInt = 11
}
