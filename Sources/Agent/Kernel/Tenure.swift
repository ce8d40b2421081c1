internal import Glibc
internal import Linux
internal import NetTypes
internal import Nftables
internal import Policy
internal import Rules
internal import Synchronization

/// Everything that the agent holds open in one namespace.
///
/// The sockets keep the namespace alive, so that the last counts can still be read when its last
/// name is gone.
final class Tenure: Sendable {
    let id: NamespaceID
    /// Tells the loop's events of this namespace from others.
    let slot: UInt64
    let monitor: RouteMonitor
    let table: EndpointTable
    /// What others do to the namespace's rulesets.
    let rulesets: RulesetMonitor
    /// Whether the socket that owns the table is an earlier agent's.
    let isInherited: Bool
    /// Nil where another program listens to the log group.
    let log: Log?
    /// Nil for the host's own.
    private let host: HostNamespace?
    private let route: Mutex<RouteBox>

    private struct RouteBox: ~Copyable, Sendable { var socket: RouteSocket }

    /// A log that can be absent.
    final class Log: Sendable {
        let refusals: RefusalLog

        private init() throws(SystemError) { refusals = try RefusalLog() }

        /// Nil where another program listens.
        static func unlessTaken() throws(SystemError) -> Log? {
            do throws(SystemError) {
                return try Log()
            } catch {
                // EPERM is what the kernel says of a group that is another socket's.
                if error.code == EPERM || error.code == EBUSY { return nil }
                throw error
            }
        }
    }

    private struct Sockets: ~Copyable {
        let monitor: RouteMonitor
        let route: RouteSocket
        let netfilter: NetfilterSocket
        let log: Log?
        let rulesets: RulesetMonitor
    }

    init(
        entering namespace: borrowing NetworkNamespace, slot: UInt64, keeper: SocketKeeper? = nil,
        host: HostNamespace? = nil
    ) throws(SystemError) {
        let sockets = try namespace.run { () throws(SystemError) in
            Sockets(
                monitor: try RouteMonitor(), route: try RouteSocket(),
                netfilter: try NetfilterSocket(), log: try Log.unlessTaken(),
                rulesets: try RulesetMonitor())
        }
        let inherited = try keeper?.take(namespace.id)
        isInherited = inherited != nil
        id = namespace.id
        self.slot = slot
        self.host = host
        log = sockets.log
        monitor = sockets.monitor
        route = Mutex(RouteBox(socket: sockets.route))
        if let inherited {
            table = EndpointTable(inherited)
        } else {
            table = EndpointTable(sockets.netfilter)
        }
        rulesets = sockets.rulesets
        try rulesets.ignore(port: table.port)
    }

    /// The links and addresses that the namespace has now, under the names that it was found by.
    func observe(paths: [String], pids: [Int32]) throws(SystemError) -> ObservedNamespace {
        let (found, number) = try route.withLock { (box) throws(SystemError) in
            let found = try box.socket.interfaces()
            // The kernel gives numbers when it lists links whose other end is elsewhere.
            let leads = found.contains { $0.link.peerNamespace != nil }
            guard leads, let host else { return (found, nil as Int32?) }
            return (found, try box.socket.number(of: host.namespace))
        }
        return ObservedNamespace(
            id: id, paths: paths, pids: pids,
            interfaces: found.map {
                ObservedInterface($0.link, addresses: $0.addresses.map(\.address).sorted())
            }, hostNumber: number)
    }
}

/// The namespace of the veths' host ends, held open.
final class HostNamespace: Sendable {
    let namespace: NetworkNamespace

    init(_ namespace: consuming NetworkNamespace) { self.namespace = namespace }
}

extension ObservedInterface {
    init(_ link: Link, addresses: [IPAddress]) {
        self.init(
            index: link.index, name: link.name, kind: link.kind,
            hardwareAddress: link.hardwareAddress, isUp: link.isUp, peerIndex: link.peerIndex,
            peerNamespace: link.peerNamespace, controllerIndex: link.controllerIndex,
            addresses: addresses)
    }
}
