internal import NetTypes
internal import Policy
internal import Reports

/// One source and one destination of the matrix.
struct MatrixPair: Hashable, Comparable {
    let source: PartyName
    let destination: PartyName

    static func < (left: MatrixPair, right: MatrixPair) -> Bool {
        (left.source, left.destination) < (right.source, right.destination)
    }
}

/// Which parties the peers of rules speak of.
struct PartyIndex {
    private let policies: PolicySet
    private let topology: Topology

    init(_ policies: PolicySet, _ topology: Topology) {
        self.policies = policies
        self.topology = topology
    }

    /// Whether one of the peers speaks of the party; everyone is covered where none is named.
    func covers(_ peers: [Peer], _ party: PartyName?) -> Bool {
        guard let party else { return true }
        return peers.contains { parties(of: $0).contains(party) }
    }

    /// How many rules admit something from one party to another.
    func rulesOfPairs() -> [MatrixPair: Int] {
        var known: [[Peer]: Set<PartyName>] = [:]
        func parties(_ peers: [Peer]) -> Set<PartyName> {
            if let found = known[peers] { return found }
            let found = peers.reduce(into: Set<PartyName>()) { $0.formUnion(self.parties(of: $1)) }
            known[peers] = found
            return found
        }
        var counts: [MatrixPair: Int] = [:]
        for file in policies.files.values {
            var rules = file.rules[...]
            while let first = rules.first {
                // The rules of a policy share their peers.
                let alike = rules.prefix { $0.from == first.from && $0.to == first.to }
                for source in parties(first.from) {
                    for destination in parties(first.to) {
                        let pair = MatrixPair(source: source, destination: destination)
                        counts[pair, default: 0] += alike.count
                    }
                }
                rules = rules.dropFirst(alike.count)
            }
        }
        return counts
    }

    private func parties(of peer: Peer) -> Set<PartyName> {
        switch peer {
        case .host: return [.host]
        case .world: return [.world]
        case .endpoints(.name(let name), let labels):
            guard let tenant = policies.tenants[name] else { return [] }
            return has(tenant, labels) ? [.tenant(name)] : []
        case .endpoints(let selector, let labels):
            return Set(
                policies.tenants.values.filter { selector.matches($0) && has($0, labels) }
                    .map { .tenant($0.name) })
        case .network(let prefix, let except):
            return parties(in: AddressSet([prefix]).subtracting(AddressSet(except)))
        }
    }

    /// Whether the tenant has such an endpoint, or none at all yet.
    private func has(_ tenant: Tenant, _ labels: LabelSelector?) -> Bool {
        guard let labels else { return true }
        let endpoints = topology.endpoints.filter { $0.tenant == tenant.name }
        return endpoints.isEmpty || endpoints.contains { labels.matches($0.labels) }
    }

    private func parties(in addresses: AddressSet) -> Set<PartyName> {
        var parties = Set(
            topology.endpoints.filter { $0.addresses.contains { addresses.contains($0) } }
                .map { PartyName.tenant($0.tenant) })
        if !addresses.intersection(topology.host).isEmpty { parties.insert(.host) }
        if !addresses.subtracting(topology.local).subtracting(topology.host).isEmpty {
            parties.insert(.world)
        }
        return parties
    }
}
