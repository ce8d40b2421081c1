internal import NetTypes
internal import Policy

/// Peers' addresses, shared by all the grants that speak of the same peers.
final class PeerAddresses: Sendable {
    let addresses: AddressSet
    /// Equal for equal sets, in every process.
    let digest: UInt64
    /// Whose they are, for readers.
    let description: String

    init(_ addresses: AddressSet, description: String) {
        self.addresses = addresses
        self.description = description
        digest = addresses.digest
    }

    /// The networks of a list, which no topology changes.
    init(networksOf list: PeerList) {
        addresses = list.networks
        digest = list.digest
        description = list.summary
    }

    /// Whether both are the same addresses.
    ///
    /// The digest alone would not do: a tenant that may give itself addresses can search for some that
    /// have the digest of another's.
    func hasAddresses(of other: PeerAddresses) -> Bool {
        self === other || digest == other.digest && addresses == other.addresses
    }
}
