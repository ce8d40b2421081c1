import NetTypes

extension Peer {
    /// False only where what the end lacks is to be another party altogether.
    func mayMean(_ end: End) -> Bool {
        switch self {
        case .endpoints(of: .name(let name), _): end.tenant?.name == name
        case .endpoints(of: .labels, _): end.tenant != nil
        case .network: true
        case .world: end.isWorld
        case .host: end.isHost
        }
    }

    /// What the end lacks to be meant by the peer; nil if it is.
    func lack(of end: End, as side: Lack.Side) -> Lack? {
        switch self {
        case .endpoints(of: let selector, let labels):
            lack(of: end, as: side, tenants: selector, labels: labels)
        case .network(let prefix, let except):
            lack(of: end, in: prefix, except: except)
        case .world:
            end.isWorld ? nil : .otherParty(side, end.name, named: "world")
        case .host:
            end.isHost ? nil : .otherParty(side, end.name, named: "host")
        }
    }

    private func lack(
        of end: End, as side: Lack.Side, tenants: TenantSelector, labels: LabelSelector?
    ) -> Lack? {
        guard let tenant = end.tenant else {
            return .otherParty(side, end.name, named: description)
        }
        switch tenants {
        case .name(let name) where name != tenant.name:
            return .otherParty(side, tenant.name, named: name)
        case .labels(let selector):
            if let unmet = selector.unmet(by: tenant.labels) {
                return .tenantLabel(tenant.name, unmet)
            }
        case .name: break
        }
        return labels?.unmet(by: end.labels).map { .endpointLabel(side, $0) }
    }

    private func lack(of end: End, in prefix: Prefix, except: [Prefix]) -> Lack? {
        guard let address = end.address else {
            let network = prefix.addresses.subtracting(AddressSet(except))
            let isInside = end.pinned?.subtracting(network).isEmpty ?? false
            return isInside ? nil : .addressUnknown(end.name, prefix)
        }
        guard prefix.contains(address) else { return .outside(address, prefix) }
        return except.first { $0.contains(address) }.map { .excepted(address, $0) }
    }
}

extension [Peer] {
    /// What the end lacks to be meant by the nearest of the peers; nil if one means it.
    func lack(of end: End, as side: Lack.Side) -> Lack? {
        var nearest: Lack?
        for peer in self {
            guard let lack = peer.lack(of: end, as: side) else { return nil }
            if lack.distance < nearest?.distance ?? .max { nearest = lack }
        }
        return nearest
    }

    /// What the endpoint lacks to be opened by one of the peers; nil if one opens it.
    func lack(opening end: End, as side: Lack.Side, direction: Direction) -> Lack? {
        let selectors = filter(\.selectsEndpoints)
        if !selectors.isEmpty, selectors.lack(of: end, as: side) == nil { return nil }
        let isMeantByAddress = contains {
            !$0.selectsEndpoints && $0.lack(of: end, as: side) == nil
        }
        return isMeantByAddress
            ? .closedHere(direction, of: end.name) : lack(of: end, as: side)
    }
}
