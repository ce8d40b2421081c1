import NetTypes

/// The networks that tenants pin, found by an address with one look for each prefix length in use.
struct PinnedNetworks {
    private var owners: [Prefix: Set<String>] = [:]
    private var lengths: Set<Int> = []

    init(_ tenants: some Sequence<Tenant>) {
        for tenant in tenants {
            for prefix in tenant.pinned ?? [] {
                owners[prefix, default: []].insert(tenant.name)
                lengths.insert(prefix.length)
            }
        }
    }

    /// The tenants that pin a network around the address.
    func owners(of address: IPAddress) -> Set<String> {
        let greatest = address.family == .v4 ? 32 : 128
        var found: Set<String> = []
        for length in lengths where length <= greatest {
            found.formUnion(owners[Prefix(containing: address, length: length)] ?? [])
        }
        return found
    }

    /// All of their addresses.
    var addresses: AddressSet {
        let sets = owners.keys.map(\.addresses)
        return AddressSet(
            v4: IntervalSet(sets.flatMap(\.v4.ranges)), v6: IntervalSet(sets.flatMap(\.v6.ranges)))
    }
}
