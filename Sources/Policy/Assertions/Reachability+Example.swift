public import NetTypes

extension Reachability {
    /// The rules by which some flow of a protocol gets from one endpoint to another, in the order
    /// of the policies; of the called end's.
    public func rules(
        from source: NamespaceID, to destination: NamespaceID, _ ipProtocol: IPProtocol
    ) -> [Rule] {
        guard let (from, to) = sites(source, destination), let index = to.endpoint else {
            return []
        }
        let wanted = ServiceFilter.among([Admitted(ipProtocol: ipProtocol, ports: .all)])
        return ingress[index].map(\.rule).filter {
            !$0.service.isDHCP && hop(from: from, to: to, wanted, through: $0) != nil
        }
    }

    /// A flow that gets from one endpoint to another by a rule of the called end; nil if none does.
    ///
    /// - Parameters:
    ///   - source: The caller.
    ///   - destination: The called endpoint.
    ///   - ipProtocol: Of the flow.
    ///   - family: Of the flow.
    ///   - rule: The rule of the called end.
    ///   - avoided: Ports that it must not go to.
    /// - Returns: The flow, with source port 0.
    public func flow(
        from source: NamespaceID, to destination: NamespaceID, _ ipProtocol: IPProtocol,
        _ family: AddressFamily, by rule: Rule, avoiding avoided: Set<UInt16> = []
    ) -> Flow? {
        guard let (from, to) = sites(source, destination) else { return nil }
        let ports = IntervalSet<UInt16>.all.subtracting(IntervalSet(avoided.map { $0...$0 }))
        let filter = ServiceFilter.among([Admitted(ipProtocol: ipProtocol, ports: ports)])
        guard
            let hop = hop(
                from: from.only(family), to: to.only(family), filter, through: rule)
        else { return nil }
        return Flow(
            source: hop.source.address, destination: hop.destination.address,
            ipProtocol: ipProtocol, destinationPort: hop.port ?? 0)
    }

    private func sites(_ source: NamespaceID, _ destination: NamespaceID) -> (Site, Site)? {
        guard let one = topology.endpoints.firstIndex(where: { $0.id == source }),
            let other = topology.endpoints.firstIndex(where: { $0.id == destination })
        else { return nil }
        return (site(one), site(other))
    }
}

extension Site {
    /// The site with the addresses of one family that are good beyond a link.
    fileprivate func only(_ family: AddressFamily) -> Site {
        Site(endpoint: endpoint, name: name, addresses: addresses.lasting(family))
    }
}
