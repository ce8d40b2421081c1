private import CLinux
private import Glibc

/// Tells when links, addresses or, if wanted, routes of one namespace change.
public struct RouteMonitor: ~Copyable, Sendable {
    /// What the kernel has told since the last look.
    public enum News: Hashable, Sendable {
        /// In the order in which it was told; much of it may be known already, since the kernel
        /// tells of a link also when nothing about it is new that a `Link` holds.
        case changes([RouteChange])
        /// More changed than the socket could hold: read again, and doubt what was concluded.
        case overflowed
    }

    private let socket: NetlinkSocket

    /// Readable when there is news.
    public var descriptor: CInt { socket.descriptor.rawValue }

    /// Opens it in the calling thread's namespace.
    ///
    /// The system call is `socket`.
    ///
    /// - Parameters:
    ///   - capacity: How many bytes of news the kernel keeps before it overflows.
    ///   - followsRoutes: Whether it tells of routes as well. IPv4 routes that go with their link go without
    ///     a message of their own (`fib_sync_down_dev` in net/ipv4/fib_semantics.c).
    /// - Throws: What the kernel refused.
    public init(capacity: CInt = 1 << 20, followsRoutes: Bool = false) throws(SystemError) {
        var groups = [RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR]
        if followsRoutes { groups += [RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE] }
        socket = try NetlinkSocket(
            groups: groups.map(\.rawValue), receiveBuffer: capacity, blocking: false)
    }

    /// Opens it in another namespace.
    public init(
        in namespace: borrowing NetworkNamespace, capacity: CInt = 1 << 20
    ) throws(SystemError) {
        self = try namespace.run { () throws(SystemError) in
            try RouteMonitor(capacity: capacity)
        }
    }

    /// Takes news and never waits; what comes beyond some thousand messages is left for the next call,
    /// since a tenant may tell as fast as somebody listens.
    ///
    /// The system call is `recv`.
    public borrowing func drain() throws(SystemError) -> News {
        var changes: [RouteChange] = []
        var hasOverflowed = false
        for _ in 0..<Self.mostMessages {
            do throws(SystemError) {
                let bytes = try socket.receive()
                if !hasOverflowed { changes += Self.changes(bytes) }
            } catch let error where error.code == ENOBUFS {
                hasOverflowed = true
            } catch let error where error.code == EAGAIN {
                break
            }
        }
        return hasOverflowed ? .overflowed : .changes(changes)
    }

    /// How many datagrams one call takes; the default capacity holds about a thousand.
    static let mostMessages = 2_048

    private static func changes(_ bytes: [UInt8]) -> [RouteChange] {
        var changes: [RouteChange] = []
        var messages = NetlinkMessages(bytes[...])
        do throws(NetlinkParseError) {
            while let message = try messages.next() {
                if let change = RouteChange(message) { changes.append(change) }
            }
        } catch {
            changes.append(.unclear)
        }
        return changes
    }
}
