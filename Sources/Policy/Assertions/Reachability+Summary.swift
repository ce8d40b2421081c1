/// Who can open what to whom, tenant by tenant.
public struct ReachSummary: Hashable, Sendable {
    public struct Cell: Hashable, Sendable {
        public let source: String
        public let destination: String
        /// In the words of rules; empty where nothing is open.
        public let services: [String]
        /// The rules of the called end, or of the caller's where no endpoint is called.
        public let rules: [RuleReference]
    }

    /// Tenants by name, then the host and the world.
    public let parties: [String]
    public let cells: [Cell]
}

extension Reachability {
    /// Who can open what to whom: every ordered pair of tenants, and tenants with host and world.
    public func summary() -> ReachSummary {
        let tenants = policies.tenants.keys.sorted()
        let outside = ["host", "world"].filter { policies.tenants[$0] == nil }
        let members = Dictionary(
            grouping: topology.endpoints.indices, by: { topology.endpoints[$0].tenant })
        var regions: [String: Site] = [:]
        for (name, addresses) in [("host", topology.host), ("world", topology.world)] {
            regions[name] = Site(endpoint: nil, name: name, addresses: addresses)
        }
        var cells: [ReachSummary.Cell] = []
        for source in tenants + outside {
            for destination in tenants + outside
            where policies.tenants[source] != nil || policies.tenants[destination] != nil {
                let from =
                    members[source].map { $0.map(site) } ?? [regions[source]].compactMap(\.self)
                let to =
                    members[destination].map { $0.map(site) }
                    ?? [regions[destination]].compactMap(\.self)
                cells.append(cell(source, from, destination, to))
            }
        }
        return ReachSummary(parties: tenants + outside, cells: cells)
    }

    func site(_ index: Int) -> Site {
        let endpoint = topology.endpoints[index]
        return Site(
            endpoint: index, name: "\(endpoint.tenant)/\(endpoint.name)", addresses: own[index])
    }

    private func cell(
        _ source: String, _ from: [Site], _ destination: String, _ to: [Site]
    ) -> ReachSummary.Cell {
        var services: [String] = []
        var rules: [RuleReference] = []
        for one in from {
            for other in to {
                for rule in open(from: one, to: other)
                where !rules.contains(where: { $0.id == rule.id }) {
                    rules.append(RuleReference(rule))
                    let words = rule.service.description
                    if !services.contains(words) { services.append(words) }
                }
            }
        }
        return ReachSummary.Cell(
            source: source, destination: destination, services: services, rules: rules)
    }

    /// The rules of the called end (the caller's, where no endpoint is called) by which some flow
    /// passes both ends.
    private func open(from source: Site, to target: Site) -> [Rule] {
        let rules: [Rule] =
            if let index = target.endpoint { ingress[index] } else {
                source.endpoint.map { egress[$0] } ?? []
            }
        return rules.filter { hop(from: source, to: target, through: $0) != nil }
    }
}
