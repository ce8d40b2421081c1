internal import Glibc
internal import Evidence
internal import Lab
internal import Linux
internal import NetTypes
internal import Nftables
internal import Policy
internal import Rules
internal import Verifier

/// Sends chosen packets one after the other, and reads the counters of both ends around each.
struct ProbeRound {
    let policies: PolicySet
    let survey: Survey
    let options: ProbeOptions

    /// What all of them came to.
    func result(seed: UInt64, _ progress: Progress) -> ProbeResult {
        var busy: [NamespaceID: Set<UInt16>] = [:]
        for endpoint in survey.topology.endpoints {
            busy[endpoint.id] = try? listeningUDPPorts(in: namespace(endpoint))
        }
        var choice = ProbeChoice(policies, survey.topology, busy: busy, seed: seed)
        let (cells, left) = choice.cells(
            options.probes, from: options.probeFrom, to: options.probeTo)
        var results: [ProbeCell] = []
        let clock = ContinuousClock()
        var next = clock.now
        for (number, cell) in cells.enumerated() {
            progress.show("sending packet", number + 1, of: cells.count)
            pause(until: next, clock)
            next = clock.now + .seconds(1) / options.probeRate
            results.append(ask(cell))
        }
        progress.finish()
        return ProbeResult(seed: seed, rate: options.probeRate, cells: results, left: left)
    }

    private func namespace(_ endpoint: Endpoint) throws(SystemError) -> NetworkNamespace {
        try NetworkNamespace(at: survey.paths[endpoint.id] ?? "")
    }

    private func ask(_ cell: ProbeChoice.Cell) -> ProbeCell {
        let flow = cell.flow
        let verdict = policies.verdict(for: flow, in: survey.topology)
        var result = ProbeCell(
            source: PartyNamed(tenant: cell.source.tenant, endpoint: cell.source.name),
            destination: PartyNamed(
                tenant: cell.destination.tenant, endpoint: cell.destination.name),
            from: flow.source, to: flow.destination, ipProtocol: flow.ipProtocol,
            port: flow.destinationPort, isAllowed: verdict.isAdmitted,
            egress: verdict.egress?.rule.map { RuleReference($0) },
            ingress: verdict.ingress?.rule.map { RuleReference($0) })
        do {
            let source = try namespace(cell.source)
            let here = try CounterWatch(source, .egress, verdict.egress?.rule?.id)
            let there = try CounterWatch(
                namespace(cell.destination), .ingress, verdict.ingress?.rule?.id)
            switch try PacketProbe().ask(flow, from: source) {
            case .answered: result.answer = .answered
            case .refusedHere: result.answer = .refusedHere
            case .silent: result.answer = .silent
            }
            result.atSource = here.seen(of: flow)
            result.atDestination = there.seen(of: flow)
        } catch {
            result.answer = .failed
            result.remark = "\(error)"
        }
        return result
    }
}

/// The counters of one endpoint's table, before and after a packet.
private struct CounterWatch: ~Copyable {
    private let table: EndpointTable
    private let direction: Direction
    /// The rule that has to count the packet; nil where none admits it.
    private let rule: RuleID?
    private let before: TableReading?

    init(
        _ namespace: borrowing NetworkNamespace, _ direction: Direction, _ rule: RuleID?
    ) throws {
        table = EndpointTable(
            try namespace.run { () throws(SystemError) in try NetfilterSocket() })
        self.direction = direction
        self.rule = rule
        before = try? table.remains()
    }

    /// What the counters saw of the flow.
    func seen(of flow: Flow) -> ProbeCell.Counted {
        guard let before, let after = try? table.remains() else { return .unknown }
        let isRefused = after.counts.refused.contains { found, count in
            found.source == flow.source && found.destination == flow.destination
                && found.ipProtocol == flow.ipProtocol.rawValue
                && found.destinationPort == flow.destinationPort
                && (!flow.ipProtocol.hasPorts || found.sourcePort == flow.sourcePort)
                && count.packets > before.counts.refused[found]?.packets ?? 0
        }
        if isRefused { return .refused }
        if let rule, packets(of: rule, after) > packets(of: rule, before) { return .admitted }
        // A running agent takes refused flows out of their sets; the totals stay.
        let refusals = Refusal.allCases.reduce(0) { sum, reason in
            sum + total(reason, after) - min(total(reason, before), total(reason, after))
        }
        return rule == nil && refusals > 0 ? .refused : .nothing
    }

    private func packets(of rule: RuleID, _ reading: TableReading) -> UInt64 {
        reading.state.rules.entries.filter { $0.rule.id == rule && $0.rule.direction == direction }
            .reduce(0) { $0 + (reading.counts.rules[$1.mark]?.traffic.packets ?? 0) }
    }

    private func total(_ reason: Refusal, _ reading: TableReading) -> UInt64 {
        reading.counts.totals[reason]?.packets ?? 0
    }
}

/// Waits; the system call is `nanosleep`.
private func pause(until end: ContinuousClock.Instant, _ clock: ContinuousClock) {
    while clock.now < end { usleep(1_000) }
}
