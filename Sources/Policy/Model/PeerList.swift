public import NetTypes

/// The peers of one side of a rule, with all that the files alone say of them.
///
/// It is made once as a file is read and shared by the rules of a policy. A list of a hundred thousand networks
/// is put in order there, and never again because an endpoint comes or goes.
public final class PeerList: Sendable {
    /// As written.
    public let peers: [Peer]
    /// The peers whose addresses depend on who lives where: tenants, the world and the host.
    public let parties: [Peer]
    /// The addresses of all `cidr` peers.
    public let networks: AddressSet
    /// The digest of `networks`.
    public let digest: UInt64
    /// Whom the peers mean, for readers: the first characters of their descriptions.
    public let summary: String

    /// How long a summary is at most.
    public static let greatestSummary = 100

    public init(_ peers: [Peer]) {
        self.peers = peers
        parties = peers.filter { if case .network = $0 { false } else { true } }
        networks = AddressSet(
            unionOf: peers.lazy.compactMap { peer in
                guard case .network(let prefix, let except) = peer else { return nil }
                return except.isEmpty
                    ? prefix.addresses : prefix.addresses.subtracting(AddressSet(except))
            })
        digest = networks.digest
        // A peer has a character at least, and two stand between it and the next.
        let first = peers.prefix(Self.greatestSummary / 3 + 1).map(\.description)
        summary = String(first.joined(separator: ", ").prefix(Self.greatestSummary))
    }
}
