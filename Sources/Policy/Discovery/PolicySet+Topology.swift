public import NetTypes

extension PolicySet {
    /// Who lives where, by what the tenants claim and what discovery found.
    ///
    /// What two sides claim is nobody's. An address inside networks that another tenant pins is no
    /// claim at all, so nobody can take a pinned address from its owner by taking it as well.
    ///
    /// `observed` holds every namespace of the machine, in any order. `host` is the one that the host
    /// ends of the veths live in; it is never an endpoint. `announced` holds claims beside those of
    /// the files, by tenant: they weigh the same. `retained` holds addresses of endpoints that went out of sight and may
    /// still answer: they stay local.
    public func topology(
        observed: [ObservedNamespace], host: NamespaceID?,
        announced: [String: [EndpointClaim]] = [:], retained: Set<IPAddress> = []
    ) -> Topology {
        var tenants = tenants
        for (name, claims) in announced { tenants[name] = tenants[name]?.claiming(claims) }
        var survey = Survey(
            tenants: tenants, namespaces: observed.sorted { $0.id < $1.id }, host: host)
        survey.assignNamespaces()
        survey.applyPins()
        survey.keepLocal(retained)
        survey.closeSharedAddresses()
        return survey.topology
    }
}

/// A topology in the making.
private struct Survey {
    /// Somebody who has an address.
    private enum Holder: Hashable {
        case endpoint(tenant: String, labels: Labels)
        case unknown
        case host
    }

    private struct Member {
        let id: NamespaceID
        let name: String
        let tenant: String
        let labels: Labels
        var addresses: [IPAddress]
    }

    private let tenants: [String: Tenant]
    private let namespaces: [ObservedNamespace]
    private let host: NamespaceID?
    private let pins: PinnedNetworks
    private var members: [Member] = []
    private var unknown: [ObservedNamespace] = []
    private var conflicts: [Conflict] = []
    private var closed: Set<IPAddress> = []
    private var local: [IPAddress] = []

    init(tenants: [String: Tenant], namespaces: [ObservedNamespace], host: NamespaceID?) {
        self.tenants = tenants
        self.namespaces = namespaces
        self.host = host
        pins = PinnedNetworks(tenants.values)
    }

    private var hostAddresses: [IPAddress] {
        namespaces.filter { $0.id == host }.flatMap(\.addresses)
    }

    mutating func assignNamespaces() {
        let claims = ClaimIndex(tenants.values)
        for namespace in namespaces where namespace.id != host {
            let matches = claims.matches(namespace)
            let owners = Set(matches.map(\.tenant)).sorted()
            guard owners.count == 1, let tenant = tenants[owners[0]] else {
                unknown.append(namespace)
                if owners.count > 1 {
                    conflicts.append(.sharedNamespace(namespace.name, tenants: owners))
                }
                continue
            }
            members.append(
                Member(
                    id: namespace.id, name: namespace.name, tenant: tenant.name,
                    labels: tenant.labels(of: matches.map(\.order)),
                    addresses: namespace.addresses))
        }
    }

    /// Takes from endpoints the addresses that pins forbid them, and those beyond their share: the
    /// lowest ones stay.
    mutating func applyPins() {
        for index in members.indices {
            let member = members[index]
            let trouble = member.addresses.map { conflict(over: $0, of: member) }
            let most = Topology.mostAddressesOfOne
            conflicts += trouble.compactMap(\.self).prefix(most)
            let own = zip(member.addresses, trouble).filter { $1 == nil }.map(\.0)
            if own.count > most {
                conflicts.append(
                    .tooManyAddresses(
                        endpoint: member.name, tenant: member.tenant, count: own.count, most: most))
            }
            members[index].addresses = Array(own.prefix(most))
            let others = zip(member.addresses, trouble).filter { $1 != nil }.map(\.0)
            local += members[index].addresses + others.prefix(most)
        }
        let ids = Set(members.map(\.id))
        for namespace in namespaces where !ids.contains(namespace.id) {
            local += namespace.addresses
        }
    }

    /// Keeps addresses from being the world's.
    mutating func keepLocal(_ addresses: Set<IPAddress>) { local += addresses }

    private func conflict(over address: IPAddress, of member: Member) -> Conflict? {
        guard !address.isLinkLocal else { return nil }
        let owners = pins.owners(of: address)
        if owners.contains(member.tenant) { return nil }
        if let owner = owners.min() {
            return .insidePinned(address, endpoint: member.name, of: owner)
        }
        guard tenants[member.tenant]?.pinned != nil else { return nil }
        return .outsidePinned(
            address, endpoint: member.name, tenant: member.tenant)
    }

    /// Takes an address from all that have it, unless they are endpoints that rules can't tell
    /// apart.
    mutating func closeSharedAddresses() {
        var holders: [IPAddress: [(holder: Holder, name: String)]] = [:]
        for member in members {
            let holder = Holder.endpoint(tenant: member.tenant, labels: member.labels)
            for address in member.addresses {
                holders[address, default: []].append((holder, member.name))
            }
        }
        // Only endpoints' addresses matter, so no entry is made for others.
        for namespace in unknown {
            for address in namespace.addresses where holders[address] != nil {
                holders[address]?.append((.unknown, namespace.name))
            }
        }
        for address in hostAddresses where holders[address] != nil {
            holders[address]?.append((.host, "host"))
        }
        let shared = holders.filter { $1.count > 1 && Set($1.map(\.holder)).count > 1 }
        closed = Set(shared.keys)
        conflicts += shared.sorted { $0.key < $1.key }
            .map { .sharedAddress($0.key, by: $0.value.map(\.name).sorted()) }
    }

    var topology: Topology {
        Topology(
            endpoints: members.map { member in
                Endpoint(
                    id: member.id, name: member.name, tenant: member.tenant,
                    labels: member.labels,
                    addresses: member.addresses.filter { !closed.contains($0) })
            },
            host: AddressSet(hostAddresses.filter { !closed.contains($0) }),
            local: AddressSet(local).union(pins.addresses),
            conflicts: conflicts, unknown: unknown.map(\.id))
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
    fileprivate func labels(of orders: [Int]) -> Labels {
        orders.sorted().reduce(into: [:]) { labels, order in
            labels.merge(claims[order].labels) { $1 }
        }
    }
}
