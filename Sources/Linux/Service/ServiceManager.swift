private import Glibc

/// The program that started this one and wants to know how it does, as systemd does.
///
/// The protocol is that of sd_notify(3): datagrams of `NAME=VALUE` lines to a Unix socket, with
/// descriptors that the manager is to keep.
public final class ServiceManager: Sendable {
    private let socket: Descriptor
    private let path: String

    /// The greatest length of `sun_path`.
    private static let greatestLength = 108

    /// Takes the path of NOTIFY_SOCKET; one that begins with `@` is an abstract name.
    ///
    /// The system calls are `socket` and `setsockopt`.
    public init(notifySocket path: String) throws(SystemError) {
        guard path.utf8.count < Self.greatestLength, let first = path.utf8.first,
            [UInt8(ascii: "/"), UInt8(ascii: "@")].contains(first)
        else { throw SystemError("connect", on: "NOTIFY_SOCKET '\(path)'", code: EINVAL) }
        let type = CInt(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue)
        let opened = Descriptor(
            owning: try check("socket", on: "AF_UNIX") { Glibc.socket(AF_UNIX, type, 0) })
        // A manager that hangs must not stop whoever tells it something.
        var limit = timeval(tv_sec: 1, tv_usec: 0)
        try check("setsockopt", on: "SO_SNDTIMEO") {
            setsockopt(
                opened.rawValue, SOL_SOCKET, SO_SNDTIMEO, &limit,
                socklen_t(MemoryLayout<timeval>.size))
        }
        self.path = path
        socket = opened
    }

    /// Tells the manager something, and hands it a descriptor to keep if one is given.
    ///
    /// The system call is `sendmsg`.
    public func tell(_ lines: [String], keeping descriptor: CInt? = nil) throws(SystemError) {
        var text = Array(lines.joined(separator: "\n").utf8)
        var control = descriptor.map(Self.control) ?? []
        var address = sockaddr_un()
        let length = fill(&address)
        try check("sendmsg", on: path) {
            text.withUnsafeMutableBytes { text in
                control.withUnsafeMutableBytes { control in
                    withUnsafeMutablePointer(to: &address) { address in
                        var vector = iovec(iov_base: text.baseAddress, iov_len: text.count)
                        return withUnsafeMutablePointer(to: &vector) { vector in
                            var message = msghdr()
                            message.msg_name = UnsafeMutableRawPointer(address)
                            message.msg_namelen = length
                            message.msg_iov = vector
                            message.msg_iovlen = 1
                            if control.count > 0 {
                                message.msg_control = control.baseAddress
                                message.msg_controllen = control.count
                            }
                            return sendmsg(socket.rawValue, &message, CInt(MSG_NOSIGNAL))
                        }
                    }
                }
            }
        }
    }

    /// The monotonic clock, as the manager wants to be told when a reload began.
    ///
    /// The system call is `clock_gettime`.
    public static var microseconds: Int64 {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return Int64(now.tv_sec) * 1_000_000 + Int64(now.tv_nsec) / 1000
    }

    private func fill(_ address: inout sockaddr_un) -> socklen_t {
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let start = MemoryLayout<sockaddr_un>.offset(of: \.sun_path) ?? 2
        guard path.hasPrefix("@") else { return socklen_t(MemoryLayout<sockaddr_un>.size) }
        withUnsafeMutableBytes(of: &address.sun_path) { $0[0] = 0 }
        return socklen_t(start + path.utf8.count)
    }

    /// A `struct cmsghdr` of SCM_RIGHTS and one descriptor, padded as CMSG_SPACE says.
    private static func control(_ descriptor: CInt) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 24)
        bytes.withUnsafeMutableBytes {
            $0.storeBytes(of: 20, as: Int.self)
            $0.storeBytes(of: SOL_SOCKET, toByteOffset: 8, as: CInt.self)
            $0.storeBytes(of: CInt(SCM_RIGHTS), toByteOffset: 12, as: CInt.self)
            $0.storeBytes(of: descriptor, toByteOffset: 16, as: CInt.self)
        }
        return bytes
    }
}
