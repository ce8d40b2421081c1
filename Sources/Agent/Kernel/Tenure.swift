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
        entering namespace: borrowing NetworkNamespace, slot: UInt64, keeper: SocketKeeper? = nil
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

    /// The links and addresses that the namespace has now.
    func interfaces() throws(SystemError) -> [ObservedInterface] {
        let found = try route.withLock { (box) throws(SystemError) in try box.socket.interfaces() }
        return found.map {
            ObservedInterface($0.link, addresses: $0.addresses.map(\.address).sorted())
        }
    }
}

extension ObservedInterface {
    init(_ link: Link, addresses: [IPAddress]) {
        self.init(
            index: link.index, name: link.name, kind: link.kind,
            hardwareAddress: link.hardwareAddress, isUp: link.isUp, peerIndex: link.peerIndex,
            controllerIndex: link.controllerIndex, addresses: addresses)
    }
}
