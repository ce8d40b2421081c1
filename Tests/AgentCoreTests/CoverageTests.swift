import AgentCore
import NetTypes
import Policy
import Testing

@Suite struct CoverageTests {
    private static func interface(
        _ index: Int32, _ kind: String?, peer: Int32? = nil, namespace: Int32? = nil
    ) -> ObservedInterface {
        ObservedInterface(
            index: index, name: "i\(index)", kind: kind,
            hardwareAddress: [2, 0, 0, 0, 0, UInt8(index)], isUp: true, peerIndex: peer,
            peerNamespace: namespace, controllerIndex: nil, addresses: [])
    }

    /// A link on top of another one, as `Link` reads it: what is below it is no other end.
    private static func interface(
        _ kind: String, over lower: Int32, in namespace: Int32? = nil
    ) -> ObservedInterface {
        ObservedInterface(
            index: 6, name: "i6", kind: kind, hardwareAddress: [2, 0, 0, 0, 0, 6], isUp: true,
            peerIndex: nil, controllerIndex: nil, addresses: [], lowerIndex: lower,
            lowerNamespace: namespace)
    }

    /// The host is number 0 to the namespace; its veth 9 is the other end of interface 2.
    @Test(
        arguments: [
            (interface(1, nil), false), (interface(2, "veth", peer: 9, namespace: 0), false),
            (interface(3, "veth", peer: 4), false), (interface(5, "bridge"), false),
            (interface("macvlan", over: 2), false), (interface("vlan", over: 2), false),
            (interface("macvlan", over: 7, in: 0), true),
            (interface("ipvlan", over: 7, in: 1), true), (interface("vlan", over: 7, in: 0), true),
            (interface(6, "veth", peer: 3, namespace: 1), true), (interface(6, nil), true),
            (interface(6, "wireguard"), true),
        ])
    func `tells which interfaces the host filter doesn't see`(
        _ interface: ObservedInterface, _ isPast: Bool
    ) {
        let namespace = ObservedNamespace(
            id: NamespaceID(device: 4, inode: 1), paths: ["/run/netns/a"], pids: [],
            interfaces: [interface], hostNumber: 0)
        let end = Self.interface(9, "veth", peer: 2, namespace: 3)
        #expect(namespace.interfacesPastTheHost(among: [9: end]).isEmpty != isPast)
    }

    @Test(
        arguments: [
            (limit: 1_048_576, base: 60, open: 0, room: 209_495),
            (limit: 300, base: 60, open: 0, room: 37), (limit: 300, base: 60, open: 37, room: 0),
            (limit: 64, base: 60, open: 0, room: 0),
        ])
    func `a reserve of descriptors stays free`(
        _ row: (limit: Int, base: Int, open: Int, room: Int)
    ) {
        let budget = DescriptorBudget(limit: row.limit, base: row.base)
        #expect(budget.room(besides: row.open) == row.room)
    }
}
