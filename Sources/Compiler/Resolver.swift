internal import NetTypes
internal import Policy

/// Turns the peers of rules into endpoints and addresses of one topology.
struct Resolver {
    private let tenants: [String: Tenant]
    private let topology: Topology
    private let endpointsOfTenant: [String: [Int]]
    private let world: AddressSet
    /// What peers meant before: most rules speak of peers that others speak of as well.
    private var sides: [SideKey: Side] = [:]

    init(tenants: [String: Tenant], topology: Topology) {
        self.tenants = tenants
        self.topology = topology
        endpointsOfTenant = Dictionary(
            grouping: topology.endpoints.indices, by: { topology.endpoints[$0].tenant })
        world = Self.world(of: topology)
    }

    /// What a file's rules open, by the index of the endpoint that they open.
    mutating func openings(of file: PolicyFile) -> [Int: [Opening]] {
        var result: [Int: [Opening]] = [:]
        for document in file.documents { open(document.rules, into: &result) }
        return result
    }

    private mutating func open(_ rules: [Rule], into result: inout [Int: [Opening]]) {
        var rest = rules[...]
        while let first = rest.first {
            let alike = rest.prefix { $0.hasPeers(of: first) }
            let ends = ends(of: first)
            let named = alike.filter(\.service.hasNames)
            let plain =
                named.isEmpty && alike.count == rules.count
                // The document's own array, which costs nothing more.
                ? rules : alike.filter { !$0.service.hasNames }
            if !plain.isEmpty { open(plain, ends, into: &result) }
            if !named.isEmpty { openByName(named, ends, into: &result) }
            rest = rest.dropFirst(alike.count)
        }
    }

    /// What a side depends on beside the topology, without its networks one by one.
    private struct SideKey: Hashable {
        let parties: [Peer]
        let networks: UInt64
        let summary: String

        init(_ list: PeerList) {
            parties = list.parties
            networks = list.digest
            summary = list.summary
        }
    }

    /// What the peers of one side of a rule come to.
    private struct Side {
        let endpoints: [Int]
        let addresses: PeerAddresses
    }

    /// Both ends of a rule, resolved.
    private struct Ends {
        let from: [Int]
        let to: [Int]
        let sources: PeerAddresses
        let destinations: PeerAddresses
    }

    private mutating func ends(of rule: Rule) -> Ends {
        let from = side(rule.sources)
        let to = side(rule.destinations)
        return Ends(
            from: from.endpoints, to: to.endpoints, sources: from.addresses,
            destinations: to.addresses)
    }

    private mutating func side(_ list: PeerList) -> Side {
        let key = SideKey(list)
        if let known = sides[key] { return known }
        let endpoints = endpoints(list.parties)
        let side = Side(endpoints: endpoints, addresses: addresses(list, endpoints: endpoints))
        sides[key] = side
        return side
    }

    private func open(_ rules: [Rule], _ ends: Ends, into result: inout [Int: [Opening]]) {
        let egress = Opening(.egress, peers: ends.destinations, rules: rules)
        let ingress = Opening(.ingress, peers: ends.sources, rules: rules)
        for endpoint in ends.from { result[endpoint, default: []].append(egress) }
        for endpoint in ends.to { result[endpoint, default: []].append(ingress) }
    }

    /// Names mean what each called tenant declares, so each of them gets openings of its own.
    private func openByName(_ rules: [Rule], _ ends: Ends, into result: inout [Int: [Opening]]) {
        let called = Dictionary(grouping: ends.to, by: { topology.endpoints[$0].tenant })
        for (name, endpoints) in called.sorted(by: { $0.key < $1.key }) {
            let names = tenants[name]?.ports ?? []
            let destinations = PeerAddresses(
                AddressSet(endpoints.flatMap { topology.endpoints[$0].addresses }),
                description: name)
            let egress = Opening(.egress, peers: destinations, rules: rules, names: names)
            let ingress = Opening(.ingress, peers: ends.sources, rules: rules, names: names)
            for endpoint in ends.from { result[endpoint, default: []].append(egress) }
            for endpoint in endpoints { result[endpoint, default: []].append(ingress) }
        }
    }

    /// The endpoints that the peers select, ascending, each once.
    private func endpoints(_ peers: [Peer]) -> [Int] {
        let selected = peers.map(endpoints)
        return selected.count == 1 ? selected[0] : Set(selected.joined()).sorted()
    }

    private func endpoints(_ peer: Peer) -> [Int] {
        guard case .endpoints(let selector, let labels) = peer else { return [] }
        let candidates: [Int] =
            switch selector {
            case .name(let name): endpointsOfTenant[name] ?? []
            case .labels:
                tenants.values.filter(selector.matches)
                    .flatMap { endpointsOfTenant[$0.name] ?? [] }.sorted()
            }
        guard let labels else { return candidates }
        return candidates.filter { labels.matches(topology.endpoints[$0].labels) }
    }

    private func addresses(_ list: PeerList, endpoints: [Int]) -> PeerAddresses {
        if list.parties.isEmpty { return PeerAddresses(networksOf: list) }
        var result = AddressSet(endpoints.flatMap { topology.endpoints[$0].addresses })
            .union(list.networks)
        if list.parties.contains(.world) { result = result.union(world) }
        if list.parties.contains(.host) { result = result.union(topology.host) }
        return PeerAddresses(result, description: list.summary)
    }

    private static func world(of topology: Topology) -> AddressSet {
        let reserved = [
            // Unspecified (RFC 1122), loopback, link-local, groups and the limited broadcast.
            Prefix(containing: .v4(0), length: 32), Prefix(containing: .v4(127 << 24), length: 8),
            Prefix(containing: .v4(0xa9fe_0000), length: 16),
            Prefix(containing: .v4(0xe000_0000), length: 4),
            Prefix(containing: .v4(.max), length: 32), Prefix(containing: .v6(0), length: 127),
            Prefix(containing: .v6(0xfe80 << 112), length: 10),
            Prefix(containing: .v6(0xff00 << 112), length: 8),
        ]
        return AddressSet.all.subtracting(AddressSet(reserved)).subtracting(topology.local)
            .subtracting(topology.host)
    }
}

extension Rule {
    /// Whether the rule has the same peers on both sides.
    fileprivate func hasPeers(of other: Rule) -> Bool {
        (sources === other.sources || from == other.from)
            && (destinations === other.destinations || to == other.to)
    }
}
