private import CLinux
import Glibc
public import NetTypes

/// A TCP or UDP socket that never waits, in the namespace in which it was made.
public struct InternetSocket: ~Copyable, Sendable {
    public let descriptor: Descriptor

    /// Takes over a descriptor.
    public init(owning descriptor: consuming Descriptor) { self.descriptor = descriptor }

    /// Makes it in the calling thread's namespace.
    ///
    /// The system call is `socket`.
    public init(_ ipProtocol: IPProtocol, _ family: AddressFamily) throws(SystemError) {
        let kind = ipProtocol == .udp ? SOCK_DGRAM : SOCK_STREAM
        let flags = kind.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue
        descriptor = Descriptor(
            owning: try check("socket", on: ipProtocol.description) {
                socket(CInt(family.number), CInt(flags), CInt(ipProtocol.rawValue))
            })
    }

    /// Makes one that sends and gets whole segments of a protocol, beside what listens to it.
    ///
    /// The system call is `socket` with SOCK_RAW.
    public init(raw ipProtocol: IPProtocol, _ family: AddressFamily) throws(SystemError) {
        let flags = SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue
        descriptor = Descriptor(
            owning: try check("socket", on: "raw \(ipProtocol)") {
                socket(CInt(family.number), CInt(flags), CInt(ipProtocol.rawValue))
            })
    }

    /// Takes an address of its own; port 0 lets the kernel choose.
    ///
    /// The system call is `bind`.
    public borrowing func bind(to local: SocketAddress) throws(SystemError) {
        var one: CInt = 1
        try check("setsockopt", on: "SO_REUSEADDR") {
            setsockopt(
                descriptor.rawValue, SOL_SOCKET, SO_REUSEADDR, &one,
                socklen_t(MemoryLayout<CInt>.size))
        }
        try withRawAddress(local) { address, length throws(SystemError) in
            try check("bind", on: local.description) {
                Glibc.bind(descriptor.rawValue, address, length)
            }
        }
    }

    /// Waits for connections.
    ///
    /// The system call is `listen`.
    public borrowing func listen() throws(SystemError) {
        try check("listen") { Glibc.listen(descriptor.rawValue, 1_024) }
    }

    /// Begins a connection, or fixes the other end of UDP; a connection under way is no error.
    ///
    /// The system call is `connect`.
    public borrowing func connect(to remote: SocketAddress) throws(SystemError) {
        do throws(SystemError) {
            try withRawAddress(remote) { address, length throws(SystemError) in
                try check("connect", on: remote.description) {
                    Glibc.connect(descriptor.rawValue, address, length)
                }
            }
        } catch let error where error.code == EINPROGRESS {}
    }

    /// The next connection; nil when none waits.
    ///
    /// The system call is `accept4`.
    public borrowing func accept() throws(SystemError) -> InternetSocket? {
        do throws(SystemError) {
            let flags = CInt(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
            return InternetSocket(
                owning: Descriptor(
                    owning: try check("accept4") {
                        linux_accept4(descriptor.rawValue, flags)
                    }))
        } catch let error where error.code == EAGAIN {
            return nil
        }
    }

    /// What became of a connection attempt: an `errno` value, or 0.
    ///
    /// The system call is `getsockopt`.
    public borrowing func pendingError() throws(SystemError) -> CInt {
        var code: CInt = 0
        var length = socklen_t(MemoryLayout<CInt>.size)
        try check("getsockopt", on: "SO_ERROR") {
            getsockopt(descriptor.rawValue, SOL_SOCKET, SO_ERROR, &code, &length)
        }
        return code
    }
}

/// Calls the body with the address as the system calls want it.
@discardableResult
func withRawAddress<Answer>(
    _ address: SocketAddress,
    _ body: (UnsafePointer<sockaddr>?, socklen_t) throws(SystemError) -> Answer
) throws(SystemError) -> Answer {
    let raw = address.raw
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: raw.count, alignment: 8)
    defer { copy.deallocate() }
    copy.copyBytes(from: raw)
    return try body(copy.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t(raw.count))
}
