internal import Compiler
internal import HostFilter
internal import Logging
internal import NetTypes
internal import Nftables
internal import Policy
public import Reports
internal import Rules

extension Agent {
    /// Flows that the kernel tracks, each with the rule that admitted it there.
    public func flows(_ question: FlowsQuestion) async -> FlowsReport {
        let wanted = compilation.topology.endpoints
            .filter { question.tenant == nil || $0.tenant == question.tenant }
            .sorted { ($0.tenant, $0.name) < ($1.tenant, $1.name) }
        let references = references()
        var flows: [LiveFlow] = []
        var left = 0
        for endpoint in wanted {
            // Each reading walks the whole machine's connections: others get their turn.
            await Task.yield()
            try? await rest(of: [endpoint.id])
            let found = self.flows(of: endpoint, references)
            let room = question.limit - flows.count
            flows += found.prefix(max(room, 0))
            left += found.count - min(found.count, max(room, 0))
        }
        return FlowsReport(flows: flows, left: left)
    }

    private func references() -> [RuleID: RuleReference] {
        Dictionary(
            rulesInOrder().map { ($0.id, RuleReference($0)) },
            uniquingKeysWith: { first, _ in first })
    }

    private func flows(
        of endpoint: Endpoint, _ references: [RuleID: RuleReference]
    ) -> [LiveFlow] {
        guard isAtRest(endpoint.id), let tenure = tenures[endpoint.id],
            let state = holdings[endpoint.id]?.state
        else {
            return []
        }
        do throws(NftablesError) {
            return try tenure.table.connections()
                .filter { !$0.source.isLoopback }
                .map { flow($0, of: endpoint, state.rules, references) }
                .sorted { $0.isBefore($1) }
        } catch {
            logger.error("connections of \(endpoint.name): \(error)")
            return []
        }
    }

    private func flow(
        _ connection: TrackedConnection, of endpoint: Endpoint, _ rules: RuleTable,
        _ references: [RuleID: RuleReference]
    ) -> LiveFlow {
        let isCaller = endpoint.addresses.contains(connection.source)
        let peer = isCaller ? connection.answerer : connection.source
        let rule = rules[connection.mark].flatMap { references[$0.id] }
        return LiveFlow(
            tenant: endpoint.tenant, endpoint: endpoint.name,
            direction: isCaller ? .egress : .ingress,
            peerTenant: compilation.topology.endpoint(with: peer)?.tenant,
            source: connection.source, destination: connection.destination,
            ipProtocol: connection.ipProtocol,
            ports: connection.ipProtocol.hasPorts
                ? .init(source: connection.sourcePort, destination: connection.destinationPort)
                : nil,
            layer: .nftables, rule: rule,
            next: rule == nil
                ? next(connection, at: endpoint, isCaller ? .egress : .ingress) : nil,
            expiresIn: connection.timeout)
    }

    /// What becomes of a connection without a live rule: its next packet is judged as a first one.
    ///
    /// - Returns: Nil where the endpoint is not in the state that its policies ask for, and behind its own
    ///   translation: what is judged then is what is on the wire, of which the port isn't known here.
    private func next(
        _ connection: TrackedConnection, at endpoint: Endpoint, _ direction: Direction
    ) -> NextVerdict? {
        guard status(endpoint).state == .enforced, connection.answerer == connection.destination
        else { return nil }
        let flow = Flow(
            source: connection.source, destination: connection.destination,
            ipProtocol: connection.ipProtocol, sourcePort: connection.sourcePort,
            destinationPort: connection.destinationPort)
        return NextVerdict(
            rule: inputs.accepted.rule(
                for: flow, at: endpoint, direction: direction, in: compilation.topology,
                mentions: mentionIndex()
            ).map { RuleReference($0) })
    }
}

extension LiveFlow {
    /// Some order that doesn't depend on the process.
    fileprivate func isBefore(_ other: LiveFlow) -> Bool {
        let ports = (ports?.source ?? 0, ports?.destination ?? 0)
        let others = (other.ports?.source ?? 0, other.ports?.destination ?? 0)
        return (source, destination, ipProtocol.rawValue, ports.0, ports.1)
            < (other.source, other.destination, other.ipProtocol.rawValue, others.0, others.1)
    }
}
