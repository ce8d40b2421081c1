private import CLinux
private import Glibc

/// Has a netlink socket refuse what others send to it alone.
///
/// They get ECONNREFUSED, and its buffer stays the kernel's (`netlink_getsockbyportid` in
/// net/netlink/af_netlink.c). What is sent to a whole group still comes.
///
/// The system call is `connect`; the kernel's address is 0 (netlink(7)).
///
/// - Parameter socket: A netlink socket that is bound.
/// - Returns: What `connect` returns, with `errno`.
package func connectToKernel(_ socket: CInt) -> CInt {
    var address = sockaddr_nl()
    address.nl_family = sa_family_t(AF_NETLINK)
    return withUnsafeMutablePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            connect(socket, $0, socklen_t(MemoryLayout<sockaddr_nl>.size))
        }
    }
}

/// Receives a netlink datagram of the kernel's; what anybody else sent to the socket is dropped.
///
/// Whoever has CAP_NET_ADMIN in a namespace may send to every netlink socket there (`netlink_sendmsg` in
/// net/netlink/af_netlink.c), so a tenant's root could answer in the kernel's place. Only the kernel has the
/// address 0 (netlink(7)). The system call is `recvfrom`.
///
/// - Parameters:
///   - socket: A netlink socket.
///   - buffer: Where the datagram goes; nil to learn its size alone.
///   - capacity: The size of the buffer.
///   - flags: Those of `recv`.
/// - Returns: What `recv` returns, with `errno`. ENOBUFS also means that strangers' datagrams never end.
package func receiveFromKernel(
    _ socket: CInt, _ buffer: UnsafeMutableRawPointer?, _ capacity: Int, flags: CInt
) -> Int {
    for _ in 0..<mostStrangers {
        var sender = sockaddr_nl()
        var length = socklen_t(MemoryLayout<sockaddr_nl>.size)
        let size = withUnsafeMutablePointer(to: &sender) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                recvfrom(socket, buffer, capacity, flags, $0, &length)
            }
        }
        if size < 0 || sender.nl_pid == 0 { return size }
        if flags & CInt(MSG_PEEK) != 0 { recv(socket, nil, 0, CInt(MSG_DONTWAIT)) }
    }
    errno = ENOBUFS
    return -1
}

/// How many are dropped before somebody else gets a turn.
private let mostStrangers = 16_384
