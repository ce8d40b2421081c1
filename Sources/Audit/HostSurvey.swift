public import Linux
public import NetTypes
public import Policy

/// The namespaces of a host as an audit finds them, with or without an agent.
public struct HostSurvey: Sendable {
    /// Every namespace, the host's own as well.
    public private(set) var namespaces: [ObservedNamespace] = []
    public let host: NamespaceID
    /// By name: why a namespace could not be looked into.
    public private(set) var failures: [String: String] = [:]
    private let hostNamespace: String?
    /// The entries of the host's bridges' forwarding databases.
    private let bridged: [Neighbour]

    /// Looks into every namespace that is mounted in the folders, or that policies or the caller
    /// name.
    ///
    /// - Parameters:
    ///   - folders: Where namespaces are mounted.
    ///   - pids: Processes whose namespaces are looked at as well.
    ///   - policies: Their claims name paths and processes.
    ///   - hostNamespace: The mount of the namespace of the veths' host ends; nil is this one.
    /// - Throws: What kept the host namespace or the folders from being read.
    public init(
        folders: [String], pids: [Int32], policies: PolicySet, hostNamespace: String?
    ) throws(SystemError) {
        self.hostNamespace = hostNamespace
        let own = try Self.openHost(hostNamespace)
        host = own.id
        var found: [NamespaceID: (paths: [String], pids: [Int32])] = [:]
        for mount in try NamespaceFolders(folders).mounts() {
            found[mount.id, default: ([], [])].paths.append(mount.path)
        }
        let targets = policies.tenants.values.flatMap(\.claims).map(\.target)
        for case .path(let path) in targets {
            guard let id = try? NetworkNamespace(at: path).id,
                found[id]?.paths.contains(path) != true
            else { continue }
            found[id, default: ([], [])].paths.append(path)
        }
        for pid in pids + targets.compactMap({ if case .pid(let pid) = $0 { pid } else { nil } }) {
            guard let id = try? NetworkNamespace(pid: pid).id else { continue }
            found[id, default: ([], [])].pids.append(pid)
        }
        found[host] = nil
        var socket = try RouteSocket(in: own)
        bridged = try socket.neighbours().filter { $0.bridge != nil }
        namespaces.append(
            ObservedNamespace(
                id: host, paths: [], pids: [], interfaces: try Self.interfaces(&socket),
                routes: try Self.routes(&socket)))
        for (id, names) in found.sorted(by: { $0.key < $1.key }) {
            look(id, names.paths.sorted(), names.pids.sorted(), own)
        }
    }

    /// Whether the bridge of a veth's end has seen a link-layer address at another of its ports.
    func isAtAnotherPort(_ address: [UInt8], than end: ObservedInterface) -> Bool {
        bridged.contains {
            $0.hardwareAddress == address && $0.bridge == end.controllerIndex
                && $0.link != end.index
        }
    }

    private mutating func look(
        _ id: NamespaceID, _ paths: [String], _ pids: [Int32], _ host: borrowing NetworkNamespace
    ) {
        do throws(SystemError) {
            let namespace = try Self.open(paths, pids)
            var socket = try RouteSocket(in: namespace)
            // The kernel gives numbers when it lists links whose other end is elsewhere.
            let interfaces = try Self.interfaces(&socket)
            namespaces.append(
                ObservedNamespace(
                    id: id, paths: paths, pids: pids, interfaces: interfaces,
                    hostNumber: try socket.number(of: host)))
        } catch {
            failures[paths.first ?? "process \(pids.first ?? 0)"] = "\(error)"
        }
    }

    /// The namespace of the veths' host ends.
    func openHost() throws(SystemError) -> NetworkNamespace { try Self.openHost(hostNamespace) }

    private static func openHost(_ path: String?) throws(SystemError) -> NetworkNamespace {
        if let path { return try NetworkNamespace(at: path) }
        return try NetworkNamespace.current()
    }

    /// Opens a namespace by one of its names.
    static func open(_ paths: [String], _ pids: [Int32]) throws(SystemError) -> NetworkNamespace {
        if let path = paths.first { return try NetworkNamespace(at: path) }
        return try NetworkNamespace(pid: pids.first ?? 0)
    }

    private static func interfaces(
        _ socket: inout RouteSocket
    ) throws(SystemError) -> [ObservedInterface] {
        try socket.interfaces().map { interface in
            ObservedInterface(
                index: interface.link.index, name: interface.link.name, kind: interface.link.kind,
                hardwareAddress: interface.link.hardwareAddress, isUp: interface.link.isUp,
                peerIndex: interface.link.peerIndex,
                peerNamespace: interface.link.peerNamespace,
                controllerIndex: interface.link.controllerIndex,
                addresses: interface.addresses.map(\.address).sorted(),
                created: Dictionary(
                    interface.addresses.map { ($0.address, $0.created) }, uniquingKeysWith: min),
                lowerIndex: interface.link.lowerIndex,
                lowerNamespace: interface.link.lowerNamespace)
        }
    }

    private static func routes(
        _ socket: inout RouteSocket
    ) throws(SystemError) -> [ObservedRoute] {
        try socket.routes().map { route in
            ObservedRoute(
                destination: route.destination, table: route.table, metric: route.metric,
                hops: route.hops.map { .init(link: $0.link, gateway: $0.gateway) })
        }.sorted()
    }
}
