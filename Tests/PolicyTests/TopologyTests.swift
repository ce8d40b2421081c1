import NetTypes
import Policy
import Testing

/// A machine for tests: namespaces by number, path and addresses.
private func namespace(
    _ inode: UInt64, _ name: String, _ addresses: String..., pids: [Int32] = []
) throws -> ObservedNamespace {
    let parsed = try addresses.map { try #require(IPAddress($0)) }
    let path = name.isEmpty ? [] : [name.hasPrefix("/") ? name : "/run/netns/\(name)"]
    return ObservedNamespace(
        id: NamespaceID(device: 4, inode: inode), paths: path, pids: pids,
        interfaces: [
            ObservedInterface(
                index: 2, name: "eth0", kind: "veth", hardwareAddress: [2, 0, 0, 0, 0, 1],
                isUp: true, peerIndex: 3, controllerIndex: nil, addresses: parsed)
        ])
}

private func address(_ text: String) throws -> IPAddress { try #require(IPAddress(text)) }

private let shop = Texts.tenant(
    "shop",
    """
    endpoints:
      - namespace: shop-*
        labels: {app: any, tier: front}
      - namespace: shop-web*
        labels: {app: web}
      - path: /run/ns/one
      - pid: 42
    """)
private let db = Texts.tenant("db", "endpoints: [{namespace: db}, {namespace: '*-shared'}]")

@Suite struct TopologyTests {
    private let host = NamespaceID(device: 4, inode: 1)

    private func topology(_ set: PolicySet, _ namespaces: ObservedNamespace...) -> Topology {
        let forward = set.topology(observed: namespaces, host: host)
        #expect(set.topology(observed: namespaces.reversed(), host: host) == forward)
        return forward
    }

    @Test func `claims make endpoints`() throws {
        let found = topology(
            try PolicySet(shop, db), try namespace(2, "shop-a", "10.0.0.2"),
            try namespace(3, "shop-web1", "10.0.0.3", "fd00::3"),
            try namespace(4, "/run/ns/one", "10.0.0.4"),
            try namespace(5, "", "10.0.0.5", pids: [42]), try namespace(6, "db"),
            try namespace(7, "db2", "10.0.0.7"), try namespace(1, "shop-host", "10.0.0.1"))
        #expect(found.endpoints.map(\.name) == ["shop-a", "shop-web1", "one", "pid:42", "db"])
        #expect(found.endpoints.map(\.tenant) == ["shop", "shop", "shop", "shop", "db"])
        #expect(found.endpoints[0].labels == ["app": "any", "tier": "front"])
        #expect(found.endpoints[1].labels == ["app": "web", "tier": "front"])
        #expect(found.endpoints[2].labels == [:])
        #expect(try found.endpoints[1].addresses == [address("10.0.0.3"), address("fd00::3")])
        #expect(found.unknown == [NamespaceID(device: 4, inode: 7)])
        #expect(found.conflicts.isEmpty)
        #expect(try found.host == AddressSet([address("10.0.0.1")]))
        #expect(try found.local.contains(address("10.0.0.7")))
        #expect(try !found.local.contains(address("10.0.0.8")))
    }

    @Test func `a namespace of two tenants is nobody's`() throws {
        let found = topology(try PolicySet(shop, db), try namespace(2, "shop-shared", "10.0.0.2"))
        #expect(found.endpoints.isEmpty)
        #expect(found.conflicts == [.sharedNamespace("shop-shared", tenants: ["db", "shop"])])
        #expect(found.unknown == [NamespaceID(device: 4, inode: 2)])
        #expect(try found.local.contains(address("10.0.0.2")))
    }

    @Test(
        arguments: [
            (3, "db", ["db", "shop-a"]), (3, "stranger", ["shop-a", "stranger"]),
            (3, "shop-web", ["shop-a", "shop-web"]),
            (3, "shop-b", nil),
        ] as [(UInt64, String, [String]?)]
    )
    func `an address that two got at the same time is closed for both`(
        _ inode: UInt64, _ name: String, _ by: [String]?
    ) throws {
        let shared = try address("10.0.0.9")
        let found = topology(
            try PolicySet(shop, db), try namespace(2, "shop-a", "10.0.0.2", "10.0.0.9"),
            try namespace(inode, name, "10.0.0.9"))
        #expect(found.conflicts == by.map { [.sharedAddress(shared, by: $0)] } ?? [])
        let holders = found.endpoints.filter { $0.addresses.contains(shared) }.map(\.name)
        #expect(holders == (by == nil ? ["shop-a", "shop-b"] : []))
        #expect(found.local.contains(shared))
        #expect(try found.endpoints[0].addresses.contains(address("10.0.0.2")))
    }

    @Test func `strangers may share what is no endpoint's`() throws {
        let found = topology(
            try PolicySet(shop), try namespace(1, "", "10.0.0.1"), try namespace(2, "x", "10.0.0.1")
        )
        #expect(found.conflicts.isEmpty)
        #expect(try found.host.contains(address("10.0.0.1")))
    }

    @Test func `pins keep strangers out and the tenant in`() throws {
        let pinned = Texts.tenant(
            "db", "endpoints: [{namespace: db-*}]\naddresses: [10.1.0.0/16, fd00:1::/64]")
        let found = topology(
            try PolicySet(shop, pinned),
            try namespace(2, "db-1", "10.1.0.2", "10.2.0.2", "fe80::2", "fd00:1::2"),
            try namespace(3, "shop-a", "10.1.0.2", "10.0.0.3", "fe80::3", "fd00:2::3"))
        #expect(
            try found.conflicts == [
                .outsidePinned(address("10.2.0.2"), endpoint: "db-1", tenant: "db"),
                .insidePinned(address("10.1.0.2"), endpoint: "shop-a", of: "db"),
            ])
        #expect(
            found.endpoints.map { $0.addresses.map(\.description) } == [
                ["10.1.0.2", "fd00:1::2", "fe80::2"], ["10.0.0.3", "fd00:2::3", "fe80::3"],
            ])
        #expect(try found.local.contains(address("10.1.255.255")))
        // What a tenant may not use is not taken from what others may reach either.
        #expect(try !found.local.contains(address("10.2.0.2")))
    }

    @Test func `addresses without number are nobody else's burden`() throws {
        let many = (0..<1000).map { IPAddress.v4(0x0a02_0000 + 2 * $0).description }
        func flood(_ inode: UInt64, _ name: String) throws -> ObservedNamespace {
            ObservedNamespace(
                id: NamespaceID(device: 4, inode: inode), paths: ["/run/netns/" + name], pids: [],
                interfaces: [
                    ObservedInterface(
                        index: 2, name: "eth0", kind: "veth", hardwareAddress: [2, 0, 0, 0, 0, 1],
                        isUp: true, peerIndex: 3, controllerIndex: nil,
                        addresses: try many.map(address))
                ])
        }
        let most = Topology.mostAddressesOfOne
        let open = topology(
            try PolicySet(shop, db), try flood(2, "shop-a"), try namespace(3, "db", many[900]))
        #expect(open.endpoints[0].addresses.map(\.description) == Array(many.prefix(most)))
        #expect(
            open.conflicts == [
                .tooManyAddresses(
                    endpoint: "shop-a", tenant: "shop", count: 1000, most: most,
                    refused: try many.dropFirst(most).map(address))
            ])
        // An address beyond the share is no claim to somebody else's.
        #expect(open.endpoints[1].addresses == [try address(many[900])])
        #expect(open.local == AddressSet(try (many.prefix(most) + [many[900]]).map(address)))

        let pinned = Texts.tenant(
            "shop", "endpoints: [{namespace: shop-*}]\naddresses: [10.2.4.0/30]")
        let closed = topology(try PolicySet(pinned), try flood(2, "shop-a"))
        #expect(closed.endpoints[0].addresses.map(\.description) == ["10.2.4.0", "10.2.4.2"])
        #expect(closed.conflicts.count == most)
    }

    @Test func `a network that two tenants pin is open to both`() throws {
        let both = ["a", "b"].map {
            Texts.tenant($0, "endpoints: [{namespace: \($0)}]\naddresses: [10.1.0.0/16]")
        }
        let found = topology(
            try PolicySet(both[0], both[1]), try namespace(2, "a", "10.1.0.2"),
            try namespace(3, "b", "10.1.0.3"))
        #expect(found.conflicts.isEmpty)
    }

    @Test func `link-local addresses that two got at the same time are closed too`() throws {
        let found = topology(
            try PolicySet(shop, db), try namespace(2, "shop-a", "fe80::1"),
            try namespace(3, "db", "fe80::1"))
        #expect(try found.conflicts == [.sharedAddress(address("fe80::1"), by: ["db", "shop-a"])])
        #expect(found.endpoints.flatMap(\.addresses).isEmpty)
    }

    @Test func `loopback addresses are nobody's`() throws {
        let found = topology(
            try PolicySet(shop, db), try namespace(2, "shop-a", "127.0.0.1", "::1"),
            try namespace(3, "db", "127.0.0.1", "::1"))
        #expect(found.conflicts.isEmpty)
        #expect(found.endpoints.flatMap(\.addresses).isEmpty)
    }
}
