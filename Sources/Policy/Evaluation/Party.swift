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

    init(
        name: String, tenant: Tenant? = nil, labels: Labels = [:], address: IPAddress? = nil,
        isWorld: Bool = false, isHost: Bool = false
    ) {
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
        return End(
            name: address.description, address: address, isWorld: topology.isWorld(address),
            isHost: topology.host.contains(address))
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
