internal import AgentCore
internal import Compiler
internal import Glibc
internal import NetTypes
internal import Nftables
internal import OrderedCollections
internal import Policy
public import Reports
internal import Rules

/// What a closest rule depends on; ports that are given to callers don't matter.
struct ExplanationKey: Hashable {
    let endpoint: NamespaceID
    let direction: Direction
    let peer: IPAddress
    let ipProtocol: UInt8
    let port: UInt16
    /// The source port where a service may have it, so that the flow may be its answer; nil for ports that
    /// callers are given.
    let servicePort: UInt16?
    let wasAdmitted: Bool
}

extension Agent {
    /// Everything of one violation, the closest rule as policies are now.
    func violation(_ record: RefusalBook.Record) -> Violation {
        let flow = record.key.flow
        let number = IPProtocol(rawValue: flow.ipProtocol)
        let hasPorts = number.hasPorts
        return Violation(
            first: record.first, last: record.last, source: record.attribution.source,
            destination: record.attribution.destination, ipProtocol: number,
            ports: hasPorts && (flow.sourcePort, flow.destinationPort) != (0, 0)
                ? .init(source: flow.sourcePort, destination: flow.destinationPort) : nil,
            message: number.isICMP
                ? .init(
                    type: UInt8(flow.destinationPort >> 8),
                    code: UInt8(truncatingIfNeeded: flow.destinationPort)) : nil,
            direction: record.attribution.direction,
            layer: record.key.host == nil ? .nftables : .hostFilter,
            reason: record.attribution.reason, packets: record.count.packets,
            bytes: record.count.bytes, flows: record.flows,
            closest: explanation(record), generation: record.generation)
    }

    private func explanation(_ record: RefusalBook.Record) -> Explanation? {
        guard record.attribution.reason == .noRule || record.attribution.reason == .revoked
        else { return nil }
        guard let endpoint = endpoint(record.key.endpoint) else {
            return observed[record.key.endpoint] == nil ? .gone : .unclaimed
        }
        if compilation.errors[endpoint.id] != nil { return .uncompiled }
        let flow = record.key.flow
        let direction = record.attribution.direction
        let key = ExplanationKey(
            endpoint: endpoint.id, direction: direction,
            peer: direction == .egress ? flow.destination : flow.source,
            ipProtocol: flow.ipProtocol, port: flow.destinationPort,
            servicePort: flow.sourcePort < PolicySet.firstEphemeralPort ? flow.sourcePort : nil,
            wasAdmitted: record.attribution.reason == .revoked)
        if let known = explanations[key] { return known }
        let judged = Flow(
            source: flow.source, destination: flow.destination,
            ipProtocol: IPProtocol(rawValue: flow.ipProtocol), sourcePort: key.servicePort ?? 0,
            destinationPort: flow.destinationPort)
        let former = key.wasAdmitted ? former(judged, at: endpoint, direction) : nil
        let found =
            former
            ?? inputs.accepted.lateAnswer(
                judged, at: endpoint, direction: direction, in: compilation.topology,
                mentions: mentionIndex())
            ?? inputs.accepted.explanation(
                for: judged, at: endpoint, direction: direction, in: compilation.topology,
                mentions: mentionIndex())
        if explanations.count > 4096 { explanations = [:] }
        explanations[key] = found
        return found
    }

    /// Made when it is first asked for after a change.
    func mentionIndex() -> MentionIndex {
        if let mentions { return mentions }
        let made = MentionIndex(inputs.accepted)
        mentions = made
        return made
    }

    /// The rule that admitted a flow before it was cut, if that is known.
    private func former(
        _ flow: Flow, at endpoint: Endpoint, _ direction: Direction
    ) -> Explanation? {
        let policies = inputs.accepted
        let entry = retiredRules.latest {
            policies.admits(
                $0, flow, at: endpoint, direction: direction, in: compilation.topology)
        }
        return entry.map {
            let expires = $0.rule.policy.expires.flatMap { $0 <= clock() ? $0 : nil }
            let end = expires.map { "its policy expired at \($0)" } ?? "was taken away"
            return Explanation(
                rule: RuleReference($0.rule),
                lack: "the rule admitted it up to generation \($0.generation), and \(end)",
                fix: expires == nil
                    ? "put the rule back, or end what still calls"
                    : "set 'expires' of the policy to a later time, or end what still calls")
        }
    }

    public func status() -> StatusReport { status(otherPrograms: otherPrograms()) }

    /// The same without looking at the hooks, which takes a thread in the host's namespace.
    func status(otherPrograms: [String]?) -> StatusReport {
        let policies = inputs.accepted
        return StatusReport(
            agent: AgentStatus(
                version: Agent.version, pid: getpid(), started: started,
                hostFilter: .init(rawValue: configuration.hostFilter.rawValue) ?? .off,
                hostFilterProblem: hostFilterProblem, otherPrograms: otherPrograms,
                generation: ledger.generation),
            policies: PolicyStatus(
                directory: configuration.policies, files: policies.files.count,
                policies: policies.files.values.reduce(0) { $0 + $1.policyCount },
                rules: policies.files.values.reduce(0) { $0 + $1.rules.count },
                tenants: policies.tenants.count,
                errors: inputs.diagnostics + damages + [lostDirectory].compactMap(\.self),
                warnings: policyWarnings()),
            endpoints: (compilation.topology.endpoints.map(status) + refusedClaims).sorted {
                ($0.tenant, $0.name) < ($1.tenant, $1.name)
            },
            unknownNamespaces: compilation.topology.unknown.compactMap { id in
                observed[id].map {
                    UnknownNamespace(
                        name: $0.name, id: id, addresses: $0.addresses,
                        isClosed: holdings[id]?.presence == .owned)
                }
            },
            conflicts: compilation.topology.conflicts.map { ConflictStatus($0) }
                + linkAddressConflicts,
            held: heldLinks, lastApply: metrics.lastApply, lost: metrics.lost,
            overheard: overheard(),
            sinks: observer?.sinks() ?? [])
    }

    /// The release that this code belongs to.
    public static let version = "0.1.0"

    func status(_ endpoint: Endpoint) -> EndpointStatus {
        let holding = holdings[endpoint.id]
        let refused = hostFilterProblem(of: endpoint.id)
        let problem = waiting(endpoint.id) ?? holding?.problem ?? refused
        let state: EndpointStatus.State =
            if problem != nil || compilation.errors[endpoint.id] != nil {
                // Where a map would overflow, it has a state that fits, which is not all that the policies say.
                .dirty
            } else if configuration.hostFilter == .only
                ? !isFollowed(endpoint.id) || !pastTheHost(endpoint.id).isEmpty
                : holding?.presence != .owned
            {
                .unknown
            } else if endpoint.addresses != observed[endpoint.id]?.addresses {
                .conflict
            } else {
                .enforced
            }
        return EndpointStatus(
            name: endpoint.name, tenant: endpoint.tenant, state: state,
            addresses: endpoint.addresses,
            generation: refused == nil
                ? generation(holding, endpoint.id)
                : notFollowed[endpoint.id]?.generation,
            lastError: problem ?? compilation.errors[endpoint.id]?.description
                ?? unguarded(endpoint.id))
    }

    private func generation(_ holding: Holding?, _ id: NamespaceID) -> UInt64? {
        holding?.presence == .owned ? holding?.generation : outsideGenerations[id]
    }

    /// Why the host filter does not see all of an endpoint though it should.
    private func unguarded(_ id: NamespaceID) -> String? {
        guard configuration.hostFilter != .off else { return nil }
        guard guarded.contains(id) else {
            return "no veth of it ends in the host namespace: the host filter does not see it"
        }
        guard configuration.hostFilter == .only, let first = pastTheHost(id).first else {
            return nil
        }
        return """
            its interface '\(first.name)' does not end in the host namespace: nothing filters what passes there
              fix: delete the interface, or use both layers ('--host-filter on')
            """
    }

    /// Interfaces of an endpoint that the host filter doesn't see.
    func pastTheHost(_ id: NamespaceID) -> [ObservedInterface] {
        guard let namespace = observed[id], let ends = host.flatMap({ observed[$0] })?.veths
        else { return [] }
        return namespace.interfacesPastTheHost(among: ends)
    }

    /// Namespaces that a tenant claims and that could not be opened: they are not enforced.
    var refusedClaims: [EndpointStatus] {
        let refused = refusedEntries.keys.filter { tenures[$0] == nil }
        guard !refused.isEmpty else { return [] }
        let namespaces = source.found(refused).map {
            ObservedNamespace(id: $0.id, paths: $0.paths, pids: $0.pids, interfaces: [])
        }
        let owners = inputs.accepted.owners(of: namespaces, announced: announced.claims)
        return namespaces.compactMap { namespace in
            guard case .tenant(let tenant) = owners[namespace.id] else { return nil }
            return EndpointStatus(
                name: namespace.name, tenant: tenant, state: .unknown, addresses: [],
                generation: nil, lastError: refusedEntries[namespace.id])
        }
    }
}

extension Explanation {
    /// Nothing is in force any more where the flow was refused.
    fileprivate static let gone = Explanation(
        rule: nil, lack: "the namespace that refused it is gone", fix: "nothing is left to open")

    fileprivate static let unclaimed = Explanation(
        rule: nil, lack: "no tenant claims the namespace any more, so it is closed to everything",
        fix: "claim it in a tenant's 'endpoints', or delete the namespace")

    fileprivate static let uncompiled = Explanation(
        rule: nil, lack: "the endpoint is closed, since its rules can't be compiled",
        fix: "do what its error in 'ringfence status' says")
}

extension PolicyFile {
    fileprivate var policyCount: Int {
        documents.count { if case .policy = $0 { true } else { false } }
    }
}
