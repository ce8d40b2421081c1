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
    /// Whether its routes are read as well.
    private let isHost: Bool
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
        host: HostNamespace? = nil, isHost: Bool = false
    ) throws(SystemError) {
        let sockets = try namespace.run { () throws(SystemError) in
            Sockets(
                monitor: try RouteMonitor(followsRoutes: isHost), route: try RouteSocket(),
                netfilter: try NetfilterSocket(), log: try Log.unlessTaken(),
                rulesets: try RulesetMonitor())
        }
        let inherited = try keeper?.take(namespace.id)
        isInherited = inherited != nil
        id = namespace.id
        self.slot = slot
        self.host = host
        self.isHost = isHost
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
        let (found, number, routes) = try route.withLock { (box) throws(SystemError) in
            let found = try box.socket.interfaces()
            let routes = isHost ? try box.socket.routes().map(ObservedRoute.init).sorted() : nil
            // The kernel gives numbers when it lists links whose other end is elsewhere.
            let leads = found.contains { $0.link.peerNamespace != nil }
            guard leads, let host else { return (found, nil as Int32?, routes) }
            return (found, try box.socket.number(of: host.namespace), routes)
        }
        return ObservedNamespace(
            id: id, paths: paths, pids: pids,
            interfaces: found.map(ObservedInterface.init), hostNumber: number, routes: routes)
    }

    /// Every link-layer address that the namespace knows behind its links.
    func neighbours() throws(SystemError) -> [Neighbour] {
        try route.withLock { (box) throws(SystemError) in try box.socket.neighbours() }
    }
}

/// The namespace of the veths' host ends, held open.
final class HostNamespace: Sendable {
    let namespace: NetworkNamespace

    init(_ namespace: consuming NetworkNamespace) { self.namespace = namespace }
}

extension ObservedInterface {
    init(_ interface: Interface) {
        self.init(
            interface.link, addresses: interface.addresses.map(\.address).sorted(),
            created: Dictionary(
                interface.addresses.map { ($0.address, $0.created) }, uniquingKeysWith: min))
    }

    init(_ link: Link, addresses: [IPAddress], created: [IPAddress: UInt64]) {
        self.init(
            index: link.index, name: link.name, kind: link.kind,
            hardwareAddress: link.hardwareAddress, isUp: link.isUp, peerIndex: link.peerIndex,
            peerNamespace: link.peerNamespace, controllerIndex: link.controllerIndex,
            addresses: addresses, created: created, lowerIndex: link.lowerIndex,
            lowerNamespace: link.lowerNamespace)
    }
}

extension ObservedRoute {
    init(_ route: Route) {
        self.init(
            destination: route.destination, table: route.table, metric: route.metric,
            hops: route.hops.map { Hop(link: $0.link, gateway: $0.gateway) })
    }
}
