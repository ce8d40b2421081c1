public import NetTypes

extension PolicySet {
    /// Who lives where, by what the tenants claim and what discovery found.
    ///
    /// A namespace that two tenants claim is nobody's. An address is its keeper's by the order of right: the
    /// host's own, pinned by the tenant, given or routed by the host, configured first. What others claim as well
    /// costs the keeper nothing.
    ///
    /// - Parameters:
    ///   - observed: Every namespace of the machine, in any order.
    ///   - host: The one that the host ends of the veths live in; it is never an endpoint. Where its routes
    ///     were read, an address that no tenant pins counts only if they lead to the namespace.
    ///   - announced: Claims beside those of the files, by tenant: they weigh the same.
    ///   - given: Addresses that the host says it has given to namespaces.
    ///   - retained: Addresses of endpoints that went out of sight and may still answer: they stay local.
    /// - Returns: The same for the same namespaces, whatever their order.
    public func topology(
        observed: [ObservedNamespace], host: NamespaceID?,
        announced: [String: [EndpointClaim]] = [:], given: [NamespaceID: Set<IPAddress>] = [:],
        retained: Set<IPAddress> = []
    ) -> Topology {
        var tenants = tenants
        for (name, claims) in announced { tenants[name] = tenants[name]?.claiming(claims) }
        var survey = Survey(
            tenants: tenants, namespaces: observed.sorted { $0.id < $1.id }, host: host,
            given: given)
        survey.assignNamespaces()
        survey.judgeClaims()
        survey.settleClaims()
        survey.keepLocal(retained)
        return survey.topology
    }
}

extension Tenant {
    /// The same with further claims, whose labels win.
    func claiming(_ more: [EndpointClaim]) -> Tenant {
        Tenant(
            name: name, labels: labels, claims: claims + more, pinned: pinned, ports: ports,
            place: place)
    }

    /// The labels that some of the claims give; a later claim wins.
    func labels(of orders: [Int]) -> Labels {
        orders.sorted().reduce(into: [:]) { labels, order in
            labels.merge(claims[order].labels) { $1 }
        }
    }
}
