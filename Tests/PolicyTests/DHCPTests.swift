import NetTypes
import Policy
import Testing

/// `dhcp` of a tenant: whom its endpoints ask for an address, and who may answer.
@Suite struct DHCPTests {
    private static func world(_ setting: String) throws -> (PolicySet, Topology) {
        let text = """
            apiVersion: ringfence/v1
            kind: Tenant
            name: shop
            endpoints: [{namespace: shop}]
            \(setting)
            """
        let endpoint = Endpoint(
            id: NamespaceID(device: 0, inode: 1), name: "shop", tenant: "shop", labels: [:],
            addresses: [own4, own6])
        let topology = Topology(
            endpoints: [endpoint], host: AddressSet([Prefix(containing: host, length: 32)]),
            local: AddressSet([Prefix(containing: own4, length: 32)]), conflicts: [],
            unknown: [])
        return (
            try PolicySet(checking: [PolicyFile(parsing: text, path: "shop.yaml")]), topology
        )
    }
    private static let own4 = IPAddress.v4(0x0a00_0009)
    private static let own6 = IPAddress.v6(UInt128(0xfe80) << 112 | 9)
    private static let host = IPAddress.v4(0x0a00_0001)
    private static let server = IPAddress.v4(0x0a00_0002)
    private static let server6 = IPAddress.v6(UInt128(0xfe80) << 112 | 2)
    private static let broadcast = IPAddress.v4(.max)
    private static let servers6 = IPAddress.v6(UInt128(0xff02) << 112 | 0x1_0002)

    private static func flow(
        _ source: IPAddress, _ from: UInt16, _ destination: IPAddress, _ to: UInt16,
        _ ipProtocol: IPProtocol = .udp
    ) -> Flow {
        Flow(
            source: source, destination: destination, ipProtocol: ipProtocol, sourcePort: from,
            destinationPort: to)
    }

    private static func passes(
        _ setting: String, _ flow: Flow, _ direction: Direction
    ) throws -> Bool {
        let (policies, topology) = try world(setting)
        let verdict = policies.verdict(
            for: flow, at: topology.endpoints[0], direction: direction, in: topology)
        let explanation = policies.explanation(
            for: flow, at: topology.endpoints[0], direction: direction, in: topology)
        #expect((verdict.rule != nil) == (explanation == nil))
        return verdict.rule != nil
    }

    private static let search = flow(.v4(0), 68, broadcast, 67)
    private static let answer = flow(server, 67, broadcast, 68)
    private static let fromHost = flow(host, 67, own4, 68)
    private static let search6 = flow(own6, 546, servers6, 547)
    private static let answer6 = flow(server6, 547, own6, 546)

    @Test(
        arguments: [
            ("", []), ("dhcp: host", [0, 2, 3]), ("dhcp: [10.0.0.2]", [0, 1]),
            ("dhcp: [10.0.0.2, host]", [0, 1, 2, 3]), ("dhcp: ['fe80::2']", [3, 4]),
            ("dhcp: [10.0.0.3]", [0]), ("world: {to: all, from: all}", [1]),
        ] as [(String, Set<Int>)]
    )
    func `opens the search and the answers of the named servers`(
        _ setting: String, _ wanted: Set<Int>
    ) throws {
        let all: [(Flow, Direction)] = [
            (Self.search, .egress), (Self.answer, .ingress), (Self.fromHost, .ingress),
            (Self.search6, .egress), (Self.answer6, .ingress),
        ]
        for (index, (flow, direction)) in all.enumerated() {
            let passes = try Self.passes(setting, flow, direction)
            #expect(passes == wanted.contains(index), "\(setting): \(index)")
        }
    }

    @Test func `opens nothing else`() throws {
        let setting = "dhcp: [10.0.0.2, 'fe80::2']"
        let others: [(Flow, Direction)] = [
            (Self.flow(Self.server, 1067, Self.broadcast, 68), .ingress),
            (Self.flow(Self.server, 67, Self.own4, 69), .ingress),
            (Self.flow(Self.server, 67, Self.own4, 67), .ingress),
            (Self.flow(Self.server, 67, Self.own4, 68, .tcp), .ingress),
            (Self.flow(.v4(0x0a00_0003), 67, Self.own4, 68), .ingress),
            (Self.flow(Self.own4, 68, Self.server, 67), .egress),
            (Self.flow(Self.own4, 1068, Self.broadcast, 67), .egress),
            (Self.flow(Self.own4, 68, Self.broadcast, 69), .egress),
            (Self.flow(.v4(0), 68, .v4(0x0aff_ffff), 67), .egress),
            (Self.flow(Self.own4, 67, Self.broadcast, 68), .egress),
            (Self.flow(Self.own6, 546, Self.server6, 547), .egress),
            (Self.flow(Self.server6, 67, Self.own6, 68), .ingress),
            (Self.flow(Self.own6, 68, Self.servers6, 67), .egress),
            (Self.flow(Self.server, 0, Self.own4, 0, DHCP.ipProtocol), .ingress),
        ]
        for (index, (flow, direction)) in others.enumerated() {
            #expect(try !Self.passes(setting, flow, direction), "\(index)")
        }
    }

    @Test func `an earlier rule for the port has its own packets, and DHCP has its messages`()
        throws
    {
        let (policies, topology) = try Self.world(
            "dhcp: host\nhost: {from: [{protocol: udp, ports: [68]}]}")
        for (port, name) in [(UInt16(67), "tenant/shop dhcp"), (1067, "tenant/shop host")] {
            let verdict = policies.verdict(
                for: Self.flow(Self.host, port, Self.own4, 68), at: topology.endpoints[0],
                direction: .ingress, in: topology)
            #expect(verdict.rule?.policy.name == name)
        }
    }

    @Test(
        arguments: [
            ("dhcp: world", "dhcp is a list"), ("dhcp: []", "dhcp is an empty list"),
            ("dhcp: [10.0.0.0/24]", "neither 'host' nor the address of a server"),
            ("dhcp: [255.255.255.255]", "neither 'host' nor the address"),
            ("dhcp: [0.0.0.0]", "neither 'host' nor the address"),
            ("dhcp: ['ff02::1:2']", "neither 'host' nor the address"),
            ("dhcp: [127.0.0.1]", "neither 'host' nor the address"),
            ("dhcp: [tenant: shop]", "dhcp is text"),
        ]
    )
    func `mistakes are told`(_ setting: String, _ message: String) throws {
        let found = try mistakes(in: Texts.tenant("shop") + "\n" + setting)
        #expect(found.contains { $0.message.contains(message) }, "\(found)")
    }
}
