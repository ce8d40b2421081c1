internal import Compiler
internal import NetTypes
internal import Policy
internal import Reports
internal import Rules

/// Whose address is whose at one moment.
struct OwnerIndex {
    private let endpoints: [IPAddress: EndpointName]
    /// Names of namespaces that no tenant claims, by their addresses.
    private let unclaimed: [IPAddress: String]

    init(_ topology: Topology, unclaimed: [(name: String, addresses: [IPAddress])]) {
        endpoints = Dictionary(
            topology.endpoints.flatMap { endpoint in
                let name = EndpointName(tenant: endpoint.tenant, name: endpoint.name)
                return endpoint.addresses.map { ($0, name) }
            }, uniquingKeysWith: { first, _ in first })
        self.unclaimed = Dictionary(
            unclaimed.flatMap { space in space.addresses.map { ($0, space.name) } },
            uniquingKeysWith: { first, _ in first })
    }

    /// The endpoint that alone has the address.
    func endpoint(_ address: IPAddress) -> EndpointName? { endpoints[address] }

    /// The namespace without a tenant that has the address.
    func namespace(_ address: IPAddress) -> String? { unclaimed[address] }
}

extension Agent {
    /// Made when it is first asked for after a change of the topology.
    var ownerIndex: OwnerIndex {
        if let owners { return owners }
        let made = OwnerIndex(
            compilation.topology,
            unclaimed: compilation.topology.unknown.compactMap { observed[$0] }
                // What it only claims is still the world's.
                .map { ($0.name, $0.addresses.filter { !compilation.topology.isWorld($0) }) })
        owners = made
        return made
    }

    /// Who stands at the ends of a refused flow, as far as that is known: a source address that the refusal
    /// itself calls forged says nothing about the sender.
    func attribution(
        of key: RefusalBook.Key, isBookFull: Bool
    ) -> RefusalBook.Attribution {
        let (id, flow) = (key.endpoint, key.flow)
        let direction = key.host?.direction ?? direction(of: flow, at: id)
        let reason = reason(key, direction)
        let sender: NamespaceID? = direction == .egress ? id : key.host?.sender
        let isForged = sender == nil && reason.forgesSource
        let (source, sourceParty) = end(
            flow.source, at: sender, isForged: isForged, isBookFull: isBookFull)
        let (destination, destinationParty) = end(
            flow.destination, at: direction == .ingress ? id : nil, isBookFull: isBookFull)
        return RefusalBook.Attribution(
            source: source, destination: destination, sourceParty: sourceParty,
            destinationParty: destinationParty, direction: direction, reason: reason)
    }

    /// Which way a flow went that the endpoint's table refused.
    ///
    /// The table refuses what is sent from a foreign address and what comes from an own one before anything
    /// else, so of the rest the source says which way it went. The destination doesn't: a broadcast that
    /// comes in is for no address of the endpoint.
    private func direction(of flow: RefusedFlow, at id: NamespaceID) -> Direction {
        switch flow.reason {
        case .spoofed: return .egress
        case .ownOutside: return .ingress
        case .forwarded: return isOthers(flow.source, than: id) ? .ingress : .egress
        case .refused, .revoked, .invalid: break
        }
        let own =
            holdings[id]?.state?.own ?? endpoint(id)?.addresses ?? observed[id]?.addresses ?? []
        if own.contains(flow.source) { return .egress }
        // An address may have left the endpoint since.
        let isGone = !own.contains(flow.destination) && !isOthers(flow.source, than: id)
        return isGone && isOthers(flow.destination, than: id) ? .egress : .ingress
    }

    /// Whether another namespace is known to have the address: an endpoint, the host, an unclaimed one.
    private func isOthers(_ address: IPAddress, than id: NamespaceID) -> Bool {
        if let owner = ownerIndex.endpoint(address) { return owner != endpointName(id) }
        return compilation.topology.host.contains(address)
            || ownerIndex.namespace(address).map { $0 != observed[id]?.name } ?? false
    }

    private func reason(_ key: RefusalBook.Key, _ direction: Direction) -> RefusalReason {
        let (id, flow) = (key.endpoint, key.flow)
        if let host = key.host {
            return host.reason == .noRule && isContested(flow) ? .conflict : host.reason
        }
        switch flow.reason {
        case .revoked: return .revoked
        // It was sent before the table knew the address.
        case .spoofed:
            return endpoint(id)?.addresses.contains(flow.source) == true ? .closed : .spoofed
        case .ownOutside: return .spoofed
        case .invalid: return .invalid
        case .forwarded: return .forwarded
        case .refused: return isContested(flow) ? .conflict : .noRule
        }
    }

    /// Whether one of the addresses belongs to no endpoint because several claim it.
    private func isContested(_ flow: RefusedFlow) -> Bool {
        compilation.topology.conflicts.contains { conflict in
            guard let address = conflict.address,
                address == flow.source || address == flow.destination
            else { return false }
            // A refused claim closes nothing for who has the address by right.
            return ownerIndex.endpoint(address) == nil
                && !compilation.topology.host.contains(address)
                && !compilation.topology.isWorld(address)
        }
    }

    /// One end of a flow.
    ///
    /// - Parameters:
    ///   - address: The address on the wire.
    ///   - id: The namespace that stood there, where that is known otherwise than by the address.
    ///   - isForged: Whether the address is not that of who stood there.
    ///   - isBookFull: Whether the totals are at their limit, so that strangers are counted together.
    /// - Returns: The end as reports show it, and the party that totals count it for.
    private func end(
        _ address: IPAddress, at id: NamespaceID?, isForged: Bool = false, isBookFull: Bool
    ) -> (ViolationEnd, PartyName) {
        // Totals must not grow with what a sender invents.
        let stranger: PartyName = isBookFull ? .others : .address(address)
        if isForged { return (ViolationEnd(address: address, party: stranger.kind), stranger) }
        // One that is just gone is known by its name.
        let owner =
            id.flatMap { endpointName($0) ?? guardedNames[$0] } ?? ownerIndex.endpoint(address)
        if let owner {
            return (
                ViolationEnd(address: address, tenant: owner.tenant, endpoint: owner.name),
                .tenant(owner.tenant)
            )
        }
        let party: PartyName =
            if compilation.topology.host.contains(address) {
                .host
            } else if compilation.topology.isWorld(address) {
                .world
            } else {
                stranger
            }
        let name = id.flatMap { observed[$0]?.name } ?? ownerIndex.namespace(address)
        return (ViolationEnd(address: address, endpoint: name, party: party.kind), party)
    }

    func endpoint(_ id: NamespaceID) -> Endpoint? { compilation.endpoint(id) }
}

extension RefusalReason {
    /// Whether a packet is refused because its source address is not the sender's.
    fileprivate var forgesSource: Bool {
        switch self {
        case .spoofed, .spoofedLinkAddress, .identity, .arp, .neighbourDiscovery: true
        default: false
        }
    }
}

// The new owner of an address answers for what is refused from then on, and for nothing before.
extension Agent {
    /// Reads what was refused of addresses that change hands, while it is still known whose they were.
    func readRefusals(beforeChangeTo topology: Topology) {
        let next = OwnerIndex(topology, unclaimed: [])
        let moved = Set(
            compilation.topology.endpoints.flatMap { endpoint in
                endpoint.addresses.filter {
                    next.endpoint($0)
                        != EndpointName(tenant: endpoint.tenant, name: endpoint.name)
                }
            })
        guard !moved.isEmpty else { return }
        for id in ledger.book.endpoints(concerning: moved).union(loggingEndpoints) {
            readRefusals(of: id, makesRoom: false)
        }
    }

    /// Endpoints whose packet log has something new.
    private var loggingEndpoints: [NamespaceID] {
        tenures.filter { drainLog(of: $0.key, $0.value) > 0 }.map(\.key)
    }
}
