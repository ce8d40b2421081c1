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
        guard let ways = ways(from: source, to: target) else { return nil }
        let isCall = target.endpoint != nil
        for out in ways.out where only == nil || isCall || out.rule == only {
            for into in ways.into where only == nil || !isCall || into.rule == only {
                guard let ends = out.ends(with: into),
                    let common = out.admitted.intersection(into.admitted),
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

    /// What each end admits of what goes from one site to another; nil if nothing can.
    func ways(from source: Site, to target: Site) -> (out: [Way], into: [Way])? {
        guard source.endpoint != nil || target.endpoint != nil else { return nil }
        // What an endpoint says to itself leaves it through no rule.
        var reached = target.addresses
        if let index = source.endpoint { reached = reached.subtracting(own[index]) }
        guard !reached.isEmpty, source.endpoint != target.endpoint || source.endpoint == nil else {
            return nil
        }
        let names = names(of: target.endpoint)
        let out = ways(source.endpoint.map { egress[$0] }, to: target, reached, names)
        if out.isEmpty { return nil }
        let into = ways(target.endpoint.map { ingress[$0] }, to: source, source.addresses, names)
        return into.isEmpty ? nil : (out, into)
    }

    /// One end's say: a rule, or no say because no endpoint stands there.
    struct Way {
        let rule: Rule?
        /// Those of the other end that it is about.
        let addresses: AddressSet
        let admitted: Admitted

        /// Two addresses of one family, if this is the caller's end and the other the called one's.
        func ends(with into: Way) -> (source: IPAddress, destination: IPAddress)? {
            Reachability.ends(into.addresses, addresses)
        }

        /// Whether some flow passes both ends.
        func meets(_ other: Way) -> Bool {
            guard admitted.intersection(other.admitted) != nil else { return false }
            let (here, there) = (addresses, other.addresses)
            return !here.v4.isEmpty && !there.v4.isEmpty || !here.v6.isEmpty && !there.v6.isEmpty
        }
    }

    private func ways(
        _ openings: [Opening]?, to far: Site, _ addresses: AddressSet, _ names: [NamedPort]
    ) -> [Way] {
        guard let openings else {
            return [Way(rule: nil, addresses: addresses, admitted: .anything)]
        }
        return openings.flatMap { opening -> [Way] in
            if let index = far.endpoint, !opening.far.endpoints.contains(index) { return [] }
            let limited = addresses.intersection(opening.far.addresses)
            if limited.isEmpty { return [] }
            if opening.rule.service.isDHCP { return messages(of: opening.rule, limited) }
            return [
                Way(
                    rule: opening.rule, addresses: limited,
                    admitted: Admitted(opening.rule.service, names: names))
            ]
        }
    }

    /// Messages of DHCP have other ports in each family.
    private func messages(of rule: Rule, _ addresses: AddressSet) -> [Way] {
        AddressFamily.allCases.compactMap { family in
            let part =
                family == .v4 ? AddressSet(v4: addresses.v4) : AddressSet(v6: addresses.v6)
            let ports = DHCP.ports(family)
            let either = Admitted(
                ipProtocol: .udp,
                ports: IntervalSet([ports.client, ports.server].map { $0...$0 }))
            guard !part.isEmpty,
                let admitted = Admitted(rule.service, names: []).intersection(either)
            else { return nil }
            return Way(rule: rule, addresses: part, admitted: admitted)
        }
    }

    /// Two addresses of one family; nil if there are none.
    fileprivate static func ends(
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
