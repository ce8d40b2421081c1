public import NetTypes

/// A network namespace as discovery found it.
public struct ObservedNamespace: Hashable, Sendable {
    public let id: NamespaceID
    /// Every path at which the namespace is mounted, sorted.
    public let paths: [String]
    /// Every process by which a policy or the command line names it, sorted.
    public let pids: [Int32]
    public let interfaces: [ObservedInterface]
    /// The number by which it knows the host namespace; nil where no link joins them.
    public let hostNumber: Int32?
    /// Where it sends packets; nil where that was not read, which it is of the host only.
    public let routes: [ObservedRoute]?

    /// - Parameters:
    ///   - id: Its device and inode.
    ///   - paths: Every path at which it is mounted, sorted.
    ///   - pids: Every process that names it, sorted.
    ///   - interfaces: Its links, sorted by index.
    ///   - hostNumber: The number by which it knows the host namespace; nil where no link joins them.
    ///   - routes: The host's routes, sorted; nil where they were not read.
    public init(
        id: NamespaceID, paths: [String], pids: [Int32], interfaces: [ObservedInterface],
        hostNumber: Int32? = nil, routes: [ObservedRoute]? = nil
    ) {
        self.routes = routes
        self.hostNumber = hostNumber
        self.id = id
        self.paths = paths
        self.pids = pids
        self.interfaces = interfaces
    }

    /// Every address of its interfaces, loopback addresses left out.
    public var addresses: [IPAddress] {
        Set(interfaces.flatMap(\.addresses)).filter { !$0.isLoopback }.sorted()
    }

    /// When each address was configured first on one of its interfaces, in hundredths of a second since the boot.
    var created: [IPAddress: UInt64] {
        interfaces.reduce(into: [:]) { created, interface in
            created.merge(interface.created) { min($0, $1) }
        }
    }

    /// The name people know it by: the shortest file name, or its process, or its inode.
    public var name: String {
        let names = paths.map { String($0.lastPathComponent) }
        return names.min { ($0.count, $0) < ($1.count, $1) }
            ?? pids.first.map { "pid:\($0)" } ?? id.description
    }
}

extension ObservedNamespace {
    /// The host's end of one of its veths.
    ///
    /// Another namespace's links may have the same indices: whose the other end is says its namespace.
    ///
    /// - Parameters:
    ///   - interface: One of its own.
    ///   - ends: The host's veths by index.
    /// - Returns: Nil where the other end is not the host's.
    public func hostEnd(
        of interface: ObservedInterface, among ends: [Int32: ObservedInterface]
    ) -> ObservedInterface? {
        guard interface.kind == "veth", interface.hardwareAddress.count == 6,
            let hostNumber, interface.peerNamespace == hostNumber, let peer = interface.peerIndex,
            let end = ends[peer], end.peerIndex == interface.index
        else { return nil }
        return end
    }

    /// Its veths by index.
    public var veths: [Int32: ObservedInterface] {
        Dictionary(
            interfaces.lazy.filter { $0.kind == "veth" }.map { ($0.index, $0) },
            uniquingKeysWith: { $1 })
    }
}

/// A link of a namespace.
public struct ObservedInterface: Hashable, Sendable {
    public let index: Int32
    public let name: String
    /// `veth`, `bridge` and so on; nil for a plain device.
    public let kind: String?
    /// Link-layer address, 6 bytes on Ethernet.
    public let hardwareAddress: [UInt8]
    public let isUp: Bool
    /// The other end's index in its own namespace; a veth has one.
    public let peerIndex: Int32?
    /// The number by which its namespace knows the other end's; nil where that is the same.
    public let peerNamespace: Int32?
    /// The link that bridges or bonds it, in the same namespace.
    public let controllerIndex: Int32?
    public let addresses: [IPAddress]
    /// When each address was configured, in hundredths of a second since the boot; an address that is missing
    /// counts as the first of all.
    public let created: [IPAddress: UInt64]
    /// The link below it, such as the parent of a macvlan, by index in its own namespace.
    public let lowerIndex: Int32?
    /// The number by which its namespace knows that of the link below; nil where that is the same.
    public let lowerNamespace: Int32?

    public init(
        index: Int32, name: String, kind: String?, hardwareAddress: [UInt8], isUp: Bool,
        peerIndex: Int32?, peerNamespace: Int32? = nil, controllerIndex: Int32?,
        addresses: [IPAddress], created: [IPAddress: UInt64] = [:], lowerIndex: Int32? = nil,
        lowerNamespace: Int32? = nil
    ) {
        self.created = created
        self.lowerIndex = lowerIndex
        self.lowerNamespace = lowerNamespace
        self.peerNamespace = peerNamespace
        self.index = index
        self.name = name
        self.kind = kind
        self.hardwareAddress = hardwareAddress
        self.isUp = isUp
        self.peerIndex = peerIndex
        self.controllerIndex = controllerIndex
        self.addresses = addresses
    }
}

/// A namespace that a tenant claims.
public struct Endpoint: Hashable, Sendable {
    public let id: NamespaceID
    public let name: String
    public let tenant: String
    public let labels: Labels
    /// The addresses that are the endpoint's alone, sorted.
    public let addresses: [IPAddress]

    public init(
        id: NamespaceID, name: String, tenant: String, labels: Labels, addresses: [IPAddress]
    ) {
        self.id = id
        self.name = name
        self.tenant = tenant
        self.labels = labels
        self.addresses = addresses
    }
}

/// Who lives where, as far as it is beyond doubt.
public struct Topology: Hashable, Sendable {
    /// How many addresses one endpoint may have.
    ///
    /// Each stands in the state of every endpoint whose rules concern it, and the root of a namespace
    /// can take as many as it likes: without a bound it would use up what others need.
    public static let mostAddressesOfOne = 64

    /// Sorted by id.
    public let endpoints: [Endpoint]
    /// The host namespace's own addresses.
    public let host: AddressSet
    /// Every address that a namespace has by right, claimed or not, those that are closed because the
    /// order of right names no keeper, and every pinned one: never a part of the world.
    ///
    /// An address that a namespace has configured without a right to it is left out. Otherwise a tenant could
    /// take any address from what others may reach in the world.
    public let local: AddressSet
    public let conflicts: [Conflict]
    /// Namespaces that no tenant claims, or that more than one does.
    public let unknown: [NamespaceID]

    public init(
        endpoints: [Endpoint], host: AddressSet, local: AddressSet, conflicts: [Conflict],
        unknown: [NamespaceID]
    ) {
        self.endpoints = endpoints
        self.host = host
        self.local = local
        self.conflicts = conflicts
        self.unknown = unknown
    }
}
