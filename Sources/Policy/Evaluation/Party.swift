public import NetTypes

/// One end of a flow in a question that policies alone can answer.
public enum Party: Hashable, Sendable {
    /// An endpoint of the tenant with these labels.
    case tenant(String, labels: Labels = [:])
    /// Whoever has the address: a tenant that pins a network around it, or the world.
    case address(IPAddress)
    case world
    case host
}

extension Party: CustomStringConvertible {
    public var description: String {
        switch self {
        case .tenant(let name, _): name
        case .address(let address): address.description
        case .world: "world"
        case .host: "host"
        }
    }
}

/// What is known about one end of a flow.
struct End {
    /// What messages call it.
    let name: String
    let tenant: Tenant?
    let labels: Labels
    /// Nil where the question names none.
    let address: IPAddress?
    let isWorld: Bool
    let isHost: Bool
    /// What has to be done before any rule can mean the end; nil for most.
    let hint: String?

    init(
        name: String, tenant: Tenant? = nil, labels: Labels = [:], address: IPAddress? = nil,
        isWorld: Bool = false, isHost: Bool = false, hint: String? = nil
    ) {
        self.hint = hint
        self.name = name
        self.tenant = tenant
        self.labels = labels
        self.address = address
        self.isWorld = isWorld
        self.isHost = isHost
    }

    /// The networks that hold the end, whatever its address; nil if it may be anywhere.
    var pinned: AddressSet? {
        guard address == nil, let pinned = tenant?.pinned, !pinned.isEmpty else { return nil }
        return AddressSet(pinned)
    }
}

extension PolicySet {
    /// What discovery knows of an address.
    func end(_ address: IPAddress, in topology: Topology) -> End {
        if let endpoint = topology.endpoint(with: address) {
            return end(endpoint, address: address, in: topology)
        }
        let isHost = topology.host.contains(address)
        if !isHost, !address.isMulticastOrBroadcast, topology.local.contains(address) {
            return stray(address, in: topology)
        }
        return End(
            name: isHost ? "\(address), an address of this host" : address.description,
            address: address, isWorld: topology.isWorld(address), isHost: isHost)
    }

    /// An address of this machine that no endpoint has: rules that name tenants don't mean it.
    private func stray(_ address: IPAddress, in topology: Topology) -> End {
        let (what, hint) =
            topology.conflicts.contains { $0.address == address }
            ? ("which is in a conflict", "end the conflict: 'ringfence status' names it")
            : tenants.values.filter { $0.pins(address) }.map(\.name).min().map {
                ("pinned by \($0)", "let an endpoint of tenant \($0) have \(address)")
            }
                ?? (
                    "of a namespace that no tenant claims",
                    "claim the namespace of \(address) in a tenant's 'endpoints'"
                )
        return End(name: "\(address), \(what)", address: address, hint: hint)
    }

    /// An endpoint by the address that it has in the flow.
    func end(_ endpoint: Endpoint, address: IPAddress, in topology: Topology) -> End {
        End(
            name: endpoint.tenant, tenant: tenants[endpoint.tenant], labels: endpoint.labels,
            address: address, isWorld: topology.isWorld(address),
            isHost: topology.host.contains(address))
    }

    /// What the policies alone know of a party.
    func end(_ party: Party) throws(ExplainError) -> End {
        switch party {
        case .tenant(let name, let labels):
            guard let tenant = tenants[name] else {
                throw .unknownTenant(name, known: tenants.keys.sorted())
            }
            return End(name: name, tenant: tenant, labels: labels)
        case .address(let address):
            let owner = tenants.values.filter { $0.pins(address) }.min { $0.name < $1.name }
            return End(
                name: owner?.name ?? address.description, tenant: owner, address: address,
                isWorld: owner == nil && address.isRoutable)
        case .world: return End(name: "world", isWorld: true)
        case .host: return End(name: "host", isHost: true)
        }
    }
}

extension Tenant {
    fileprivate func pins(_ address: IPAddress) -> Bool {
        pinned?.contains { $0.contains(address) } ?? false
    }
}

/// Why a question to the policies has no answer.
public enum ExplainError: Error, Hashable, Sendable {
    /// A party names a tenant that no policy file declares.
    case unknownTenant(String, known: [String])
}

extension ExplainError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unknownTenant(let name, let known) where known.isEmpty:
            "no tenant is called '\(name)'\n  fix: add a tenant to the policy directory"
        case .unknownTenant(let name, let known):
            "no tenant is called '\(name)'\n  fix: write one of "
                + known.prefix(8).joined(separator: ", ") + (known.count > 8 ? ", ..." : "")
        }
    }
}
