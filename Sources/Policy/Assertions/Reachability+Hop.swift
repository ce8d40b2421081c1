import NetTypes

extension Reachability {
    /// A flow from one site to another that all endpoints on the way admit; nil if there is none.
    ///
    /// With a rule, only flows count that the called end (the caller, where no endpoint is called)
    /// admits by it.
    func hop(
        from source: Site, to target: Site, _ filter: ServiceFilter = .anything,
        through only: Rule? = nil
    ) -> PathHop? {
        guard source.endpoint != nil || target.endpoint != nil else { return nil }
        // What an endpoint says to itself leaves it through no rule.
        var reached = target.addresses
        if let index = source.endpoint { reached = reached.subtracting(own[index]) }
        guard !reached.isEmpty, source.endpoint != target.endpoint || source.endpoint == nil else {
            return nil
        }
        let names = names(of: target.endpoint)
        for out in sides(source.endpoint, egress, to: target, \.to)
        where only == nil || target.endpoint != nil || out.rule == only {
            guard let there = out.limit(reached, \.to, self) else { continue }
            for into in sides(target.endpoint, ingress, to: source, \.from)
            where only == nil || target.endpoint == nil || into.rule == only {
                guard let here = into.limit(source.addresses, \.from, self),
                    let ends = Self.ends(here, there),
                    let common = out.admitted(names).intersection(into.admitted(names)),
                    let (number, port) = filter.witness(in: common)
                else { continue }
                return PathHop(
                    source: end(source, ends.source), destination: end(target, ends.destination),
                    ipProtocol: number, port: number.hasPorts || number.isICMP ? port : nil,
                    egress: out.rule.map { RuleReference($0) },
                    ingress: into.rule.map { RuleReference($0) })
            }
        }
        return nil
    }

    /// One end's say: a rule, or no say because no endpoint stands there.
    private struct Side {
        let rule: Rule?

        func admitted(_ names: [NamedPort]) -> Admitted {
            rule.map { Admitted($0.service, names: names) } ?? .anything
        }

        func limit(
            _ addresses: AddressSet, _ peers: KeyPath<Rule, [Peer]>, _ all: Reachability
        ) -> AddressSet? {
            guard let rule else { return addresses }
            let limited = addresses.intersection(
                all.coverage(of: rule[keyPath: peers]).addresses)
            return limited.isEmpty ? nil : limited
        }
    }

    private func sides(
        _ endpoint: Int?, _ rules: [[Rule]], to far: Site, _ peers: KeyPath<Rule, [Peer]>
    ) -> [Side] {
        guard let endpoint else { return [Side(rule: nil)] }
        return rules[endpoint].lazy
            .filter { rule in
                guard let index = far.endpoint else { return true }
                return coverage(of: rule[keyPath: peers]).endpoints.contains(index)
            }
            .map { Side(rule: $0) }
    }

    /// Two addresses of one family; nil if there are none.
    private static func ends(
        _ sources: AddressSet, _ destinations: AddressSet
    ) -> (source: IPAddress, destination: IPAddress)? {
        if let source = sources.v4.ranges.first, let destination = destinations.v4.ranges.first {
            return pair(AddressSet(v4: source), AddressSet(v4: destination))
        }
        guard let source = sources.v6.ranges.first, let destination = destinations.v6.ranges.first
        else { return nil }
        return pair(AddressSet(v6: source), AddressSet(v6: destination))
    }

    private static func pair(
        _ sources: AddressSet, _ destinations: AddressSet
    ) -> (source: IPAddress, destination: IPAddress)? {
        guard let source = sources.example, let destination = destinations.example else {
            return nil
        }
        return (source, destination)
    }

    func end(_ site: Site, _ address: IPAddress) -> PathEnd {
        let endpoint = site.endpoint.map { topology.endpoints[$0] }
        return PathEnd(
            tenant: endpoint?.tenant, endpoint: endpoint?.name, party: site.name,
            address: address)
    }
}
