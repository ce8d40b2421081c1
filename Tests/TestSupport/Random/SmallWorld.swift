public import NetTypes
public import Policy

/// A few namespaces whose addresses lie so close that random rules often tell them apart.
public struct SmallWorld: Sendable {
    /// Candidates for endpoints; the first ones may stand for namespaces that exist.
    public let namespaces: [ObservedNamespace]
    public let host: ObservedNamespace

    /// The addresses of the namespaces that are meant to exist.
    public static let stations: [[String]] = [
        ["10.1.0.1", "fd00:1::1"],
        ["10.1.0.2", "10.1.0.3", "fd00:1::2"],
        ["10.1.0.4"],
        ["fd00:1::4", "fd00:1::5"],
        ["10.2.0.1", "fd00:2::1", "10.1.0.64"],
    ]

    private static let others: [[String]] = [
        ["10.1.0.128", "fd00:1::80"],
        ["172.16.0.1"],
        // The second one's too: a conflict when both are claimed.
        ["10.1.0.3", "10.1.1.0"],
        ["192.0.2.1", "2001:db8::1"],
        ["10.2.0.255", "fd00:2::ffff"],
    ]

    /// The namespaces, some of them under the identities of namespaces that exist.
    public init(stations ids: [NamespaceID] = []) {
        let addresses = Self.stations + Self.others
        namespaces = addresses.enumerated().map { index, addresses in
            let id =
                index < ids.count
                ? ids[index] : NamespaceID(device: 0, inode: UInt64(index + 1))
            return Self.namespace("n\(index)", id, addresses)
        }
        host = Self.namespace(
            "host", NamespaceID(device: 0, inode: 1_000),
            ["10.1.0.254", "198.51.100.1", "fd00:1::fe"])
    }

    /// Who lives where by the policies' claims.
    public func topology(of policies: PolicySet) -> Topology {
        policies.topology(observed: namespaces + [host], host: host.id)
    }

    /// Every address of the small world.
    public var addresses: [IPAddress] { (namespaces + [host]).flatMap(\.addresses) }

    private static func namespace(
        _ name: String, _ id: NamespaceID, _ addresses: [String]
    ) -> ObservedNamespace {
        ObservedNamespace(
            id: id, paths: ["/run/netns/\(name)"], pids: [],
            interfaces: [
                ObservedInterface(
                    index: 2, name: "eth0", kind: "veth", hardwareAddress: [2, 0, 0, 0, 0, 1],
                    isUp: true, peerIndex: nil, controllerIndex: nil,
                    addresses: addresses.compactMap { IPAddress($0) })
            ])
    }
}
