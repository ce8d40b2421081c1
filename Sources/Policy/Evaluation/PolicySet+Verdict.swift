public import NetTypes

// The reference evaluator: the meaning of policies, spelled out. Other judges are tested against
// it, so it shares nothing with them and prefers being plain to being fast.
extension PolicySet {
    /// What both ends say to a flow.
    public func verdict(for flow: Flow, in topology: Topology) -> FlowVerdict {
        FlowVerdict(
            egress: topology.endpoint(with: flow.source).map {
                verdict(for: flow, at: $0, direction: .egress, in: topology)
            },
            ingress: topology.endpoint(with: flow.destination).map {
                verdict(for: flow, at: $0, direction: .ingress, in: topology)
            })
    }

    /// What one endpoint says to a flow that it sends (egress) or receives (ingress).
    ///
    /// Whether the flow really carries an address of the endpoint on the near side is not asked.
    public func verdict(
        for flow: Flow, at endpoint: Endpoint, direction: Direction, in topology: Topology
    ) -> Verdict {
        if endpoint.addresses.contains(flow.peer(direction)) { return .loopback }
        if let port = DHCP.port(of: flow, direction) {
            let message = Flow(
                source: flow.source, destination: flow.destination, ipProtocol: DHCP.ipProtocol,
                destinationPort: port)
            let rule = first(admitting: message, at: endpoint, direction, in: topology)
            if let rule, rule.service.isDHCP { return .admitted(rule) }
        }
        return first(admitting: flow, at: endpoint, direction, in: topology)
            .map(Verdict.admitted) ?? .refused
    }

    private func first(
        admitting flow: Flow, at endpoint: Endpoint, _ direction: Direction, in topology: Topology
    ) -> Rule? {
        var first: Rule?
        for rule in files.values.lazy.flatMap(\.rules)
        where admits(rule, flow, at: endpoint, direction: direction, in: topology) {
            if first.map(rule.precedes) ?? true { first = rule }
        }
        return first
    }

    /// Whether a rule, of this set or of an earlier one, admits a flow at an endpoint.
    public func admits(
        _ rule: Rule, _ flow: Flow, at endpoint: Endpoint, direction: Direction,
        in topology: Topology
    ) -> Bool {
        let (near, far) = direction == .egress ? (rule.from, rule.to) : (rule.to, rule.from)
        let peer = flow.peer(direction)
        return near.contains { selects($0, endpoint) }
            && far.contains { covers($0, peer, in: topology) }
            && rule.service.admits(
                flow.ipProtocol, destinationPort: flow.destinationPort,
                names: portNames(
                    of: direction == .ingress ? endpoint : topology.endpoint(with: peer)))
    }

    /// Whether the peer names the endpoint, and so opens it.
    private func selects(_ peer: Peer, _ endpoint: Endpoint) -> Bool {
        guard case .endpoints(of: let selector, let labels) = peer,
            let tenant = tenants[endpoint.tenant]
        else { return false }
        return selector.matches(tenant) && (labels?.matches(endpoint.labels) ?? true)
    }

    /// Whether the peer means whoever has the address.
    private func covers(_ peer: Peer, _ address: IPAddress, in topology: Topology) -> Bool {
        switch peer {
        case .endpoints:
            topology.endpoints.contains { $0.addresses.contains(address) && selects(peer, $0) }
        case .network(let prefix, let except):
            prefix.contains(address) && !except.contains { $0.contains(address) }
        case .world: topology.isWorld(address)
        case .host: topology.host.contains(address)
        }
    }

    private func portNames(of endpoint: Endpoint?) -> [NamedPort] {
        endpoint.flatMap { tenants[$0.tenant]?.ports } ?? []
    }
}

extension Service {
    /// Whether the service covers a flow to an endpoint whose tenant declares these port names.
    public func admits(
        _ other: IPProtocol, destinationPort: UInt16, names declared: [NamedPort]
    ) -> Bool {
        switch self {
        case .any: true
        case .ports(let number, let ports, let names):
            number == other
                && (ports.isEmpty && names.isEmpty || ports.contains(destinationPort)
                    || declared.contains {
                        $0.ipProtocol == number && $0.port == destinationPort
                            && names.contains($0.name)
                    })
        case .messages(let number, let messages):
            number == other
                && (messages.isEmpty || messages.contains { $0.range.contains(destinationPort) })
        case .other(let number): number == other
        }
    }
}
