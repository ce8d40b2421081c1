import NetTypes
import Policy
import Testing

private func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

/// A host as discovery finds it: a bridge `br` with a router behind its uplink, and veths to namespaces.
private struct Machine {
    static let host = NamespaceID(device: 4, inode: 1)
    private static let bridge: Int32 = 2

    /// The host's addresses, all on the bridge.
    var hostAddresses = ["10.0.0.1", "fd00::1"]
    var routes: [ObservedRoute]?
    private(set) var namespaces: [ObservedNamespace] = []
    private var ends: [ObservedInterface] = []

    init(routes texts: String...) throws { routes = try texts.map { try Self.route($0) } }

    /// Reads `NETWORK dev INDEX [via GATEWAY]`.
    static func route(_ text: String) throws -> ObservedRoute {
        let words = text.split(separator: " ").map(String.init)
        let link = try #require(Int32(words[2]))
        return ObservedRoute(
            destination: try Prefix(parsing: words[0]),
            hops: [.init(link: link, gateway: words.count > 4 ? try address(words[4]) : nil)])
    }

    /// A namespace with a veth to the host, whose end has the index 10 above the namespace's number.
    ///
    /// Addresses are written as `ADDRESS`, `ADDRESS@MOMENT` or `lo:ADDRESS@MOMENT`.
    mutating func add(
        _ number: UInt64, _ name: String, _ addresses: String..., isBridged: Bool = true,
        isJoined: Bool = true
    ) throws {
        let end = Int32(number) + 10
        var found: [String: [IPAddress: UInt64]] = ["lo": [:], "eth0": [:]]
        for text in addresses {
            let onLoopback = text.hasPrefix("lo:")
            let parts = text.dropFirst(onLoopback ? 3 : 0).split(separator: "@")
            let moment = parts.count > 1 ? try #require(UInt64(parts[1])) : 1
            found[onLoopback ? "lo" : "eth0"]?[try address(String(parts[0]))] = moment
        }
        let loopback = found["lo"] ?? [:]
        let outside = found["eth0"] ?? [:]
        namespaces.append(
            ObservedNamespace(
                id: NamespaceID(device: 4, inode: number), paths: ["/run/netns/\(name)"], pids: [],
                interfaces: [
                    ObservedInterface(
                        index: 1, name: "lo", kind: nil, hardwareAddress: [], isUp: true,
                        peerIndex: nil, controllerIndex: nil, addresses: loopback.keys.sorted(),
                        created: loopback),
                    ObservedInterface(
                        index: 2, name: "eth0", kind: "veth",
                        hardwareAddress: [2, 0, 0, 0, 0, UInt8(truncatingIfNeeded: number)],
                        isUp: true, peerIndex: isJoined ? end : 77, peerNamespace: 0,
                        controllerIndex: nil, addresses: outside.keys.sorted(), created: outside),
                ], hostNumber: 0))
        ends.append(
            ObservedInterface(
                index: end, name: "veth\(number)", kind: "veth", hardwareAddress: [], isUp: true,
                peerIndex: 2, peerNamespace: Int32(number),
                controllerIndex: isBridged ? Self.bridge : nil, addresses: []))
    }

    func topology(
        _ set: PolicySet, given: [NamespaceID: Set<IPAddress>] = [:]
    ) throws -> Topology {
        let bridge = ObservedInterface(
            index: Self.bridge, name: "br", kind: "bridge", hardwareAddress: [], isUp: true,
            peerIndex: nil, controllerIndex: nil, addresses: try hostAddresses.map(address))
        let host = ObservedNamespace(
            id: Self.host, paths: [], pids: [], interfaces: [bridge] + ends, routes: routes)
        let found = set.topology(observed: [host] + namespaces, host: Self.host, given: given)
        let again = set.topology(
            observed: namespaces.reversed() + [host], host: Self.host, given: given)
        #expect(again == found)
        return found
    }
}

extension Topology {
    fileprivate func addresses(of name: String) -> [String] {
        endpoints.first { $0.name == name }?.addresses.map(\.description) ?? []
    }
}

private let mallory = Texts.tenant("mallory", "endpoints: [{namespace: mallory*}]")
private let victim = Texts.tenant("victim", "endpoints: [{namespace: victim*}]")
private let bridged = "10.0.0.0/24 dev 2"

/// A claim of one tenant never changes what another may do.
@Suite struct ClaimTests {
    @Test(
        arguments: [
            ("lo:203.0.113.77@9", true), ("203.0.113.77@9", true), ("lo:8.8.8.8@9", false),
        ])
    func `an address of the world stays the world's`(_ claim: String, _ isBridged: Bool) throws {
        var machine = try Machine(
            routes: bridged, "10.0.0.2/32 dev 12", "0.0.0.0/0 dev 3 via 192.0.2.1")
        try machine.add(2, "mallory", "10.0.0.2", claim, isBridged: isBridged)
        let found = try machine.topology(try PolicySet(mallory, victim))
        let claimed = try address(
            String(claim.split(separator: "@")[0].split(separator: ":").last ?? ""))
        #expect(found.isWorld(claimed))
        #expect(
            found.conflicts == [
                .unroutedAddress(claimed, endpoint: "mallory", tenant: "mallory")
            ])
        #expect(found.addresses(of: "mallory") == ["10.0.0.2"])
    }

    @Test func `a tenant's pins are no way to the world's addresses either`() throws {
        let pinned = Texts.tenant(
            "mallory", "endpoints: [{namespace: mallory*}]\naddresses: [10.0.0.2]")
        var machine = try Machine(routes: bridged)
        try machine.add(2, "mallory", "10.0.0.2", "lo:203.0.113.77@9")
        let found = try machine.topology(try PolicySet(pinned, victim))
        #expect(try found.isWorld(address("203.0.113.77")))
        #expect(found.conflicts.count == 1)
    }

    @Test func `a pinned address needs no route`() throws {
        let pinned = Texts.tenant(
            "mallory", "endpoints: [{namespace: mallory*}]\naddresses: [10.0.0.2, 203.0.113.0/24]")
        var machine = try Machine(routes: bridged)
        try machine.add(2, "mallory", "10.0.0.2", "lo:203.0.113.77@9")
        let found = try machine.topology(try PolicySet(pinned, victim))
        #expect(found.addresses(of: "mallory") == ["10.0.0.2", "203.0.113.77"])
        #expect(try !found.isWorld(address("203.0.113.78")))
        #expect(found.conflicts.isEmpty)
    }

    @Test func `what the host routes to an endpoint is the endpoint's`() throws {
        // By its veth, and by an address of its own as the gateway.
        var machine = try Machine(
            routes: "10.0.0.2/32 dev 12", "198.51.100.0/28 dev 12",
            "192.0.2.0/28 dev 12 via 10.0.0.2")
        try machine.add(
            2, "victim", "10.0.0.2", "lo:198.51.100.1@5", "lo:192.0.2.1@6", isBridged: false)
        // The host sends these to somebody else.
        try machine.add(3, "mallory", "lo:198.51.100.2@2", "lo:192.0.2.2@2", isBridged: false)
        let found = try machine.topology(try PolicySet(mallory, victim))
        #expect(found.addresses(of: "victim") == ["10.0.0.2", "192.0.2.1", "198.51.100.1"])
        #expect(found.addresses(of: "mallory") == [])
        #expect(found.conflicts.count == 2)
    }

    @Test func `a longer route to another link decides`() throws {
        var machine = try Machine(routes: bridged, "10.0.0.64/26 dev 7")
        try machine.add(2, "mallory", "10.0.0.2", "10.0.0.65")
        let found = try machine.topology(try PolicySet(mallory))
        #expect(found.addresses(of: "mallory") == ["10.0.0.2"])
    }

    @Test func `the host's default gateway is no tenant's`() throws {
        var machine = try Machine(routes: bridged, "0.0.0.0/0 dev 2 via 10.0.0.254")
        try machine.add(2, "mallory", "10.0.0.2", "10.0.0.254")
        let found = try machine.topology(try PolicySet(mallory))
        #expect(found.addresses(of: "mallory") == ["10.0.0.2"])
        #expect(try found.isWorld(address("10.0.0.254")))
    }

    @Test func `on a bridge without a network of the host an address on the link counts`() throws {
        var machine = try Machine(routes: "192.0.2.0/24 dev 7", "0.0.0.0/0 dev 7 via 192.0.2.1")
        machine.hostAddresses = []
        try machine.add(
            2, "victim", "10.0.0.2", "fd00::2", "lo:10.0.0.3", "192.0.2.9", "192.0.2.1")
        let found = try machine.topology(try PolicySet(victim))
        #expect(found.addresses(of: "victim") == ["10.0.0.2", "fd00::2"])
    }

    @Test func `a namespace without a link to the host has no addresses`() throws {
        var machine = try Machine(routes: bridged)
        machine.hostAddresses = []
        try machine.add(2, "mallory", "10.0.0.2", "8.8.8.8", "fe80::2", isJoined: false)
        let found = try machine.topology(try PolicySet(mallory))
        #expect(found.addresses(of: "mallory") == [])
        #expect(try found.isWorld(address("8.8.8.8")))
    }

    @Test func `unclaimed namespaces take nothing from the world either`() throws {
        var machine = try Machine(routes: bridged)
        try machine.add(2, "stray", "10.0.0.2", "lo:8.8.8.8@2")
        let found = try machine.topology(try PolicySet(victim))
        #expect(try !found.isWorld(address("10.0.0.2")))
        #expect(try found.isWorld(address("8.8.8.8")))
    }

    @Test(arguments: ["mallory", "stray"])
    func `who was first keeps an address`(_ other: String) throws {
        let shared = try address("10.0.0.9")
        let cases: [(UInt64, UInt64, String)] = [(5, 6, "victim"), (6, 5, other)]
        for (victims, others, keeper) in cases {
            var machine = try Machine(routes: bridged)
            try machine.add(3, "victim", "10.0.0.3", "10.0.0.9@\(victims)")
            try machine.add(2, other, "10.0.0.2", "10.0.0.9@\(others)")
            let found = try machine.topology(try PolicySet(mallory, victim))
            let loser = keeper == "victim" ? other : "victim"
            #expect(
                found.conflicts == [
                    .takenAddress(
                        shared, endpoint: loser, tenant: loser == "stray" ? nil : loser,
                        keeper: keeper)
                ])
            #expect(found.addresses(of: "victim").contains("10.0.0.9") == (keeper == "victim"))
            #expect(!found.isWorld(shared))
        }
    }

    @Test func `a route of the host outweighs who was first`() throws {
        var machine = try Machine(routes: "10.0.0.9/32 dev 13")
        machine.hostAddresses = []
        try machine.add(3, "victim", "10.0.0.9@6", isBridged: false)
        // Its link has no network of the host, so the host can't tell there.
        try machine.add(2, "mallory", "10.0.0.9@5")
        let found = try machine.topology(try PolicySet(mallory, victim))
        #expect(found.addresses(of: "victim") == ["10.0.0.9"])
        #expect(found.addresses(of: "mallory") == [])
    }

    @Test func `what the host says it has given outweighs who was first`() throws {
        var machine = try Machine(routes: bridged)
        try machine.add(3, "victim", "10.0.0.9@6")
        try machine.add(2, "mallory", "10.0.0.2", "10.0.0.9@5")
        let given = [NamespaceID(device: 4, inode: 3): Set([try address("10.0.0.9")])]
        let found = try machine.topology(try PolicySet(mallory, victim), given: given)
        #expect(found.addresses(of: "victim") == ["10.0.0.9"])
        #expect(found.addresses(of: "mallory") == ["10.0.0.2"])
    }

    @Test func `the host keeps its own addresses`() throws {
        var machine = try Machine(routes: bridged)
        try machine.add(2, "mallory", "10.0.0.2", "10.0.0.1@0")
        let found = try machine.topology(try PolicySet(mallory))
        #expect(try found.host.contains(address("10.0.0.1")))
        #expect(
            try found.conflicts == [
                .takenAddress(
                    address("10.0.0.1"), endpoint: "mallory", tenant: "mallory", keeper: "host")
            ])
        #expect(found.addresses(of: "mallory") == ["10.0.0.2"])
    }

    @Test func `a pinned network that holds the host's address leaves it to the host`() throws {
        let pinned = Texts.tenant(
            "victim", "endpoints: [{namespace: victim*}]\naddresses: [10.0.0.0/24]")
        var machine = try Machine(routes: bridged)
        try machine.add(2, "victim", "10.0.0.2", "10.0.0.1@0")
        let found = try machine.topology(try PolicySet(pinned))
        #expect(try found.host.contains(address("10.0.0.1")))
        #expect(found.addresses(of: "victim") == ["10.0.0.2"])
    }

    @Test func `link-local addresses of the loopback device are no claim`() throws {
        var machine = try Machine(routes: bridged)
        try machine.add(2, "mallory", "lo:fe80::9@1")
        try machine.add(3, "victim", "fe80::9@5")
        // It was on the loopback device first, but on the link later.
        try machine.add(4, "mallory-2", "lo:fe80::9@1", "fe80::9@6")
        let found = try machine.topology(try PolicySet(mallory, victim))
        #expect(found.addresses(of: "victim") == ["fe80::9"])
        #expect(found.addresses(of: "mallory") == [])
        #expect(found.addresses(of: "mallory-2") == [])
        #expect(
            try found.conflicts == [
                .takenAddress(
                    address("fe80::9"), endpoint: "mallory-2", tenant: "mallory", keeper: "victim")
            ])
    }

    @Test func `the newest addresses beyond the share are refused and named`() throws {
        var machine = try Machine(routes: bridged, "fd00::/64 dev 2")
        let early = (100..<163).map { "10.0.0.\($0)@\(10 + $0)" }
        try machine.add(2, "victim", "fd00::2@5")
        let base = machine.namespaces[0].interfaces[1]
        var created = base.created
        for text in early + ["10.0.0.20@900", "10.0.0.21@901"] {
            let parts = text.split(separator: "@")
            created[try address(String(parts[0]))] = UInt64(parts[1])
        }
        let host = ObservedNamespace(
            id: Machine.host, paths: [], pids: [],
            interfaces: [
                ObservedInterface(
                    index: 12, name: "v", kind: "veth", hardwareAddress: [], isUp: true,
                    peerIndex: 2, peerNamespace: 1, controllerIndex: 2, addresses: []),
                ObservedInterface(
                    index: 2, name: "br", kind: "bridge", hardwareAddress: [], isUp: true,
                    peerIndex: nil, controllerIndex: nil, addresses: []),
            ], routes: machine.routes)
        let namespace = ObservedNamespace(
            id: machine.namespaces[0].id, paths: ["/run/netns/victim"], pids: [],
            interfaces: [
                ObservedInterface(
                    index: 2, name: "eth0", kind: "veth", hardwareAddress: [], isUp: true,
                    peerIndex: 12, peerNamespace: 0, controllerIndex: nil,
                    addresses: created.keys.sorted(), created: created)
            ], hostNumber: 0)
        let found = try PolicySet(victim).topology(
            observed: [host, namespace], host: Machine.host)
        #expect(found.endpoints[0].addresses.count == Topology.mostAddressesOfOne)
        #expect(found.addresses(of: "victim").contains("fd00::2"))
        #expect(
            try found.conflicts == [
                .tooManyAddresses(
                    endpoint: "victim", tenant: "victim", count: 66,
                    most: Topology.mostAddressesOfOne,
                    refused: [address("10.0.0.20"), address("10.0.0.21")])
            ])
    }
}
