extension Reachability {
    /// The shortest chain of endpoints from a site to each of the targets that can be reached.
    ///
    /// Every hop but the last may be over anything; the last is over what the filter asks about.
    func chains(
        from source: Site, to targets: [Site], _ filter: (Site) -> ServiceFilter
    ) -> [(target: Site, path: [PathHop])] {
        var ways: [Int: [PathHop]] = [:]
        var frontier = [source]
        var left = targets.filter { $0.endpoint == nil || $0.endpoint != source.endpoint }
        var found: [(target: Site, path: [PathHop])] = []
        while !frontier.isEmpty, !left.isEmpty {
            for site in frontier {
                let way = site.endpoint.flatMap { ways[$0] } ?? []
                left.removeAll { target in
                    guard let last = hop(from: site, to: target, filter(target)) else {
                        return false
                    }
                    found.append((target, way + [last]))
                    return true
                }
            }
            frontier = frontier.flatMap { next(from: $0, start: source, &ways) }
        }
        return found
    }

    private func next(
        from site: Site, start: Site, _ ways: inout [Int: [PathHop]]
    ) -> [Site] {
        let way = site.endpoint.flatMap { ways[$0] } ?? []
        let candidates =
            site.endpoint.map { index in
                egress[index].reduce(into: Set<Int>()) {
                    $0.formUnion($1.far.endpoints)
                }
            } ?? Set(topology.endpoints.indices)
        var sites: [Site] = []
        for index in candidates.sorted() where ways[index] == nil && index != start.endpoint {
            let endpoint = topology.endpoints[index]
            let target = Site(
                endpoint: index, name: "\(endpoint.tenant)/\(endpoint.name)",
                addresses: own[index])
            guard let hop = hop(from: site, to: target) else { continue }
            ways[index] = way + [hop]
            sites.append(target)
        }
        return sites
    }
}
