import Glibc
import Linux
import NetTypes

/// The namespace that joins the others, while it is being built.
struct Fabric: ~Copyable {
    private static let bridge: Int32 = 2
    private static let firstLink: Int32 = 10
    private static let linkInside: Int32 = 2
    /// What the host is called by when the lab has no IPv4 subnet.
    private static let fallback = IPAddress.v4(0xa9fe_0101)
    /// fe80::1, the same on each link.
    private static let routerOnLink = IPAddress.v6(UInt128(0xfe80) << 112 | 1)

    private let topology: LabTopology
    private var router: RouteSocket
    private var count: Int32 = 0

    /// Whether what each link tells all others would be most of the work.
    private var isLarge: Bool { topology.namespaces.count > 100 }

    /// Sets the calling thread's namespace up.
    init(_ topology: LabTopology) throws(SystemError) {
        try setParameters(Self.parameters)
        var socket = try RouteSocket()
        try socket.setUp(index: 1)
        switch topology.fabric {
        case .bridged: try Self.makeBridge(topology.subnets, with: &socket)
        case .routed: try Self.makeRouter(topology.subnets, with: &socket)
        }
        self.topology = topology
        router = socket
        count = 0
    }

    private static let parameters = [
        ("ipv4/ip_forward", "1"), ("ipv6/conf/all/forwarding", "1"),
        ("ipv4/conf/all/send_redirects", "0"), ("ipv4/conf/default/send_redirects", "0"),
        ("ipv6/conf/all/accept_dad", "0"), ("ipv6/conf/default/accept_dad", "0"),
    ]

    private static func makeBridge(
        _ subnets: [Prefix], with router: inout RouteSocket
    ) throws(SystemError) {
        // A fixed address: otherwise it changes with the ports, under the neighbours' feet.
        try router.addBridge(
            "lab", index: bridge, hardwareAddress: [0x02, 0x72, 0x66, 0, 0, 1])
        for subnet in subnets {
            guard let gateway = subnet.gateway else { continue }
            try router.addAddress(gateway, prefixLength: subnet.length, index: bridge)
        }
        // Where br_netfilter is loaded, what members say to each other would be translated too.
        for name in ["bridge-nf-call-iptables", "bridge-nf-call-ip6tables"] {
            do throws(SystemError) {
                try setParameters([("bridge/" + name, "0")])
            } catch let error where error.code == ENOENT {}
        }
        // Ports of a bridge need no addresses of their own.
        try setParameters([("ipv6/conf/default/disable_ipv6", "1")])
    }

    private static func makeRouter(
        _ subnets: [Prefix], with router: inout RouteSocket
    ) throws(SystemError) {
        try setParameters([("ipv6/conf/default/addr_gen_mode", "1")])
        var own = subnets.compactMap(\.gateway)
        if !own.contains(where: { $0.family == .v4 }) { own.append(fallback) }
        for address in own {
            let length = address.family == .v4 ? 32 : 128
            try router.addAddress(address, prefixLength: length, index: 1)
        }
    }

    /// Lets the namespaces talk, when all have joined.
    ///
    /// Until then a bridge would carry what each new link tells everyone to all the others.
    mutating func open() throws(SystemError) {
        if topology.fabric == .bridged { try router.setUp(index: Self.bridge) }
    }

    /// Makes a namespace, mounts it and joins it; the calling thread stays in it.
    mutating func join(_ member: LabNamespace, at path: String) throws(SystemError) {
        let namespace = try NetworkNamespace.replaceCurrent()
        try namespace.mount(at: path)
        var inside = try RouteSocket()
        try inside.setUp(index: 1)
        let index = Self.firstLink + count
        count += 1
        let short = "rf-" + member.name
        try router.addPair(
            short.utf8.count <= 15 ? short : "rf\(index)", index: index, far: "eth0",
            farIndex: Self.linkInside, in: namespace,
            controller: topology.fabric == .bridged ? Self.bridge : nil)
        try inside.setUp(index: Self.linkInside, withoutLinkLocal: isLarge)
        switch topology.fabric {
        case .bridged: try addNetworks(of: member, with: &inside)
        case .routed: try addRoutes(of: member, through: index, with: &inside)
        }
    }

    /// Addresses with their subnets, and the host as the way to everywhere else.
    private func addNetworks(
        of member: LabNamespace, with inside: inout RouteSocket
    ) throws(SystemError) {
        for address in member.addresses {
            let subnet = topology.subnets.first { $0.contains(address) }
            let length = subnet?.length ?? (address.family == .v4 ? 32 : 128)
            try inside.addAddress(address, prefixLength: length, index: Self.linkInside)
        }
        for gateway in topology.subnets.compactMap(\.gateway)
        where member.address(gateway.family) != nil {
            try inside.addRoute(to: .all(gateway.family), via: gateway, index: Self.linkInside)
        }
    }

    /// Addresses by themselves, and the host as the way to everything.
    private mutating func addRoutes(
        of member: LabNamespace, through index: Int32, with inside: inout RouteSocket
    ) throws(SystemError) {
        try router.addAddress(Self.routerOnLink, prefixLength: 64, index: index)
        for address in member.addresses {
            let length = address.family == .v4 ? 32 : 128
            try inside.addAddress(address, prefixLength: length, index: Self.linkInside)
            try router.addRoute(to: Prefix(containing: address, length: length), index: index)
        }
        let gateway =
            topology.subnets.compactMap(\.gateway).first { $0.family == .v4 } ?? Self.fallback
        for next in [gateway, Self.routerOnLink] where member.address(next.family) != nil {
            try inside.addRoute(to: .all(next.family), via: next, index: Self.linkInside)
        }
    }
}
