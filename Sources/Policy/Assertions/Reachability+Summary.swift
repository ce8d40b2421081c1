internal import NetTypes

/// Who can open what to whom, tenant by tenant.
public struct ReachSummary: Hashable, Sendable {
    public struct Cell: Hashable, Sendable {
        public let source: String
        public let destination: String
        /// In the words of rules.
        public let services: [String]
        /// The rules of the called end, or of the caller's where no endpoint is called.
        public let rules: [RuleReference]
    }

    /// Tenants by name, then the host and the world.
    public let parties: [String]
    /// The host and the world, where no tenant has the name.
    public let outside: [String]
    /// By source and destination in the order of the parties; where nothing is open there is none.
    public let cells: [Cell]
}

extension Reachability {
    /// Who can open what to whom: tenants to tenants, and tenants with host and world.
    ///
    /// Only pairs are looked at of which one's rules speak of the other: of a thousand tenants
    /// there are a million pairs, and few of them have anything to say.
    public func summary() -> ReachSummary {
        let tenants = policies.tenants.keys.sorted()
        let regions = [("host", topology.host), ("world", topology.world)]
            .filter { policies.tenants[$0.0] == nil }
            .map { Site(endpoint: nil, name: $0.0, addresses: $0.1) }
        let sites = topology.endpoints.indices.map { site($0) }
        var cells: [PartyPair: ReachSummary.Cell] = [:]
        for one in sites.indices {
            for other in callees(of: one) { add(sites[one], sites[other], to: &cells) }
            for region in regions { add(sites[one], region, to: &cells) }
        }
        for region in regions {
            for site in sites { add(region, site, to: &cells) }
        }
        let parties = tenants + regions.map(\.name)
        let order = Dictionary(
            parties.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
        func place(_ party: String) -> Int { order[party] ?? parties.count }
        return ReachSummary(
            parties: parties, outside: regions.map(\.name),
            cells: cells.values.sorted {
                (place($0.source), place($0.destination))
                    < (place($1.source), place($1.destination))
            })
    }

    func site(_ index: Int) -> Site {
        let endpoint = topology.endpoints[index]
        return Site(
            endpoint: index, name: "\(endpoint.tenant)/\(endpoint.name)", addresses: own[index])
    }

    private struct PartyPair: Hashable {
        let source: String
        let destination: String
    }

    /// The endpoints that an endpoint's own rules let it call.
    private func callees(of index: Int) -> [Int] {
        var found: Set<Int> = []
        var last: Coverage?
        for opening in egress[index] where opening.far !== last {
            found.formUnion(opening.far.endpoints)
            last = opening.far
        }
        return found.sorted()
    }

    private func add(
        _ source: Site, _ target: Site, to cells: inout [PartyPair: ReachSummary.Cell]
    ) {
        let open = open(from: source, to: target)
        if open.isEmpty { return }
        let pair = PartyPair(source: party(source), destination: party(target))
        let known = cells[pair]
        var services = known?.services ?? []
        var rules = known?.rules ?? []
        for rule in open where !rules.contains(where: { $0.id == rule.id }) {
            rules.append(RuleReference(rule))
            let words = rule.service.description
            if !services.contains(words) { services.append(words) }
        }
        cells[pair] = ReachSummary.Cell(
            source: pair.source, destination: pair.destination, services: services, rules: rules)
    }

    private func party(_ site: Site) -> String {
        site.endpoint.map { topology.endpoints[$0].tenant } ?? site.name
    }

    /// The rules of the called end (the caller's, where no endpoint is called) by which some flow
    /// passes both ends.
    private func open(from source: Site, to target: Site) -> [Rule] {
        guard let ways = ways(from: source, to: target) else { return [] }
        let (asked, others) =
            target.endpoint == nil ? (ways.out, ways.into) : (ways.into, ways.out)
        return asked.filter { way in others.contains { way.meets($0) } }.compactMap(\.rule)
    }
}
