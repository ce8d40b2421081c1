internal import CNetfilter
internal import Glibc
public import Linux

/// Tells what others do to the rulesets of one namespace.
///
/// It listens from `join` on. What the agent itself does stays out in the kernel, by the port of the
/// socket that sent it: a change of policy wakes nobody.
public struct RulesetMonitor: ~Copyable, Sendable {
    /// What the kernel has told since the last look.
    public struct News: Sendable {
        public var transactions: [ForeignTransaction] = []
        /// More changed than the socket could hold: the ruleset has to be looked at.
        public var overflowed = false
    }

    let socket: NetfilterSocket
    private let reader = TransactionReader()

    /// The socket, for a poller.
    public var rawValue: CInt { socket.rawValue }

    /// Opens the socket in the calling thread's namespace; system calls only.
    public init() throws(SystemError) { socket = try NetfilterSocket(receiveBuffer: 1 << 20) }

    /// Leaves out what is sent from a netlink port.
    ///
    /// The kernel puts all messages of one transaction under the port of its sender (`nlmsg_pid`).
    /// The system call is `setsockopt` with SO_ATTACH_FILTER.
    public func ignore(port: UInt32) throws(SystemError) {
        // Classic BPF reads words in network order.
        var program = [
            sock_filter(code: 0x20, jt: 0, jf: 0, k: 12),  // A = nlmsg_pid
            sock_filter(code: 0x15, jt: 0, jf: 1, k: port.bigEndian),
            sock_filter(code: 0x06, jt: 0, jf: 0, k: 0),
            sock_filter(code: 0x06, jt: 0, jf: 0, k: .max),
        ]
        let count = UInt16(program.count)
        try program.withUnsafeMutableBufferPointer { (code) throws(SystemError) in
            var filter = sock_fprog(len: count, filter: code.baseAddress)
            let size = socklen_t(MemoryLayout<sock_fprog>.size)
            try check("setsockopt(SO_ATTACH_FILTER)") {
                setsockopt(socket.rawValue, SOL_SOCKET, Self.attachFilter, &filter, size)
            }
        }
    }

    /// Listens from now on; it may be called again.
    public func join() throws(SystemError) { try membership(Self.addMembership) }

    /// Listens no more: as long as nobody does, the kernel makes no message of each element.
    public func leave() throws(SystemError) { try membership(Self.dropMembership) }

    private func membership(_ option: CInt) throws(SystemError) {
        var group = CInt(bitPattern: NFNLGRP_NFTABLES.rawValue)
        try check("setsockopt(NFNLGRP_NFTABLES)") {
            setsockopt(
                socket.rawValue, Self.netlink, option, &group,
                socklen_t(MemoryLayout<CInt>.size))
        }
    }

    /// Takes news and never waits; what is more than some messages is left for the next call,
    /// since a tenant may change its tables as fast as somebody listens.
    public func drain() throws(SystemError) -> News {
        var news = News()
        for _ in 0..<Self.mostMessages {
            do throws(SystemError) {
                guard let datagram = try socket.receive() else { return news }
                news.transactions += reader.read(datagram)
            } catch {
                guard error.code == ENOBUFS else { throw error }
                // What came before and after are parts of different transactions.
                reader.forget()
                news.overflowed = true
                // It may be a stranger who keeps it full: others come first.
                return news
            }
        }
        return news
    }

    private static let mostMessages = 64
    /// Of asm-generic/socket.h and linux/netlink.h.
    private static let attachFilter: CInt = 26
    private static let netlink: CInt = 270
    private static let addMembership: CInt = 1
    private static let dropMembership: CInt = 2
}
