internal import NetTypes
public import Policy

/// Namespaces described by lines such as `db-1 10.0.0.1 fd00::1`; one called `host` is the host.
public struct PlainWorld: Sendable {
    public let namespaces: [ObservedNamespace]

    public init(parsing text: String) {
        namespaces = text.split(separator: "\n").enumerated().map { index, line in
            let words = line.split(separator: " ")
            return ObservedNamespace(
                id: NamespaceID(device: 4, inode: UInt64(index + 1)),
                paths: words.prefix(1).map { "/run/netns/\($0)" }, pids: [],
                interfaces: [
                    ObservedInterface(
                        index: 2, name: "eth0", kind: "veth", hardwareAddress: [], isUp: true,
                        peerIndex: nil, controllerIndex: nil,
                        addresses: words.dropFirst().compactMap { IPAddress($0) })
                ])
        }
    }

    /// Who lives where by the policies' claims.
    public func topology(of policies: PolicySet) -> Topology {
        policies.topology(
            observed: namespaces, host: namespaces.first { $0.name == "host" }?.id)
    }
}
