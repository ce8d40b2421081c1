internal import AgentCore
internal import Compiler
internal import HostFilter
internal import Linux
internal import Logging
internal import NetTypes
internal import Nftables
internal import OrderedCollections
internal import Policy
public import Reports
internal import Rules

extension Agent {
    /// How many endpoints are read before whatever else is due gets its turn.
    private static let stride = 16

    /// Reads every counter there is, or says why it can't: a count that is left out would seem to
    /// have fallen.
    ///
    /// A change of policy does not wait for it; endpoints that are changed meanwhile are read again
    /// at the end, so that no count is in both the kernel's and the ledger's part.
    public func counters() async throws -> CountersReport {
        var readings: [NamespaceID: Reading] = [:]
        for (index, id) in holdings.keys.sorted().enumerated() {
            if index % Self.stride == Self.stride - 1 { await Task.yield() }
            try await rest(of: [id])
            readings[id] = try reading(of: id)
        }
        try await readAgain {
            outdated(readings.mapValues(\.generation))
        } _: {
            for id in $0 { readings[id] = try reading(of: id) }
        }
        readHostRefusals()
        return report(readings)
    }

    /// One endpoint's counters, and the state that they belong to.
    private struct Reading {
        let generation: UInt64
        let rules: RuleTable
        let counts: TableCounts
    }

    private func reading(of id: NamespaceID) throws(NftablesError) -> Reading? {
        guard let tenure = tenures[id], let holding = holdings[id], let state = holding.state else {
            return nil
        }
        do throws(NftablesError) {
            let counts = try persistently { () throws(NftablesError) in
                try tenure.table.counts()
            }
            takeRefusals(counts, of: id)
            return Reading(generation: holding.generation, rules: state.rules, counts: counts)
        } catch {
            logger.error("counters of \(observed[id]?.name ?? "\(id)"): \(error)")
            throw error
        }
    }

    private func report(_ readings: [NamespaceID: Reading]) -> CountersReport {
        var sums = ledger.carried
        var totals = ledger.endpoints ?? [:]
        for (id, reading) in readings {
            let name = endpointName(id)
            for (mark, count) in reading.counts.rules {
                guard let rule = reading.rules[mark] else { continue }
                sums[.init(rule: rule.id, direction: rule.direction), default: RuleCount()] += count
                if let name { totals[name, default: EndpointTotals()].admitted += count }
            }
            guard let name else { continue }
            for (reason, count) in reading.counts.totals {
                totals[name, default: EndpointTotals()].refused[reason, default: .zero] += count
            }
        }
        var outside: [NamespaceID: Tally] = [:]
        let hostSums = hostSums(&outside)
        let flows = refusedFlows()
        let endpoints = compilation.topology.endpoints.map { endpoint in
            let name = EndpointName(tenant: endpoint.tenant, name: endpoint.name)
            let total = totals[name] ?? EndpointTotals()
            let carried = ledger.hostEndpoints?[name] ?? EndpointTotals()
            let admitted =
                configuration.hostFilter == .only
                ? (outside[endpoint.id] ?? Tally()) + Tally(carried.admitted)
                : Tally(total.admitted)
            return EndpointCounters(
                tenant: endpoint.tenant, endpoint: endpoint.name, admitted: admitted,
                refused: Tally(total.allRefused, flows: flows[endpoint.id] ?? 0),
                refusedByHostFilter: refusedOutside(endpoint.id).map {
                    $0 + Tally(carried.allRefused, flows: 0)
                },
                overheard: overheard(by: endpoint.id).map {
                    $0 + (carried.overheard ?? Overheard())
                })
        }
        let inside = totals.values.reduce(into: Count.zero) { $0 += $1.allRefused }
        return CountersReport(
            since: ledger.since, rules: rules(sums, hostSums), refused: pairs(),
            endpoints: endpoints, notRecorded: notRecorded(inside: inside), overheard: overheard())
    }

    /// What was refused and no pair has.
    ///
    /// Totals are read before the flows, so packets that come in between make the difference too
    /// small for a moment, never too large: the greatest that was told is the nearest to the truth.
    func notRecorded(inside: Count) -> Tally {
        let found =
            notRecorded(of: inside, recorded: ledger.book.insideTables)
            + notRecorded(of: allRefusedOutside(), recorded: ledger.book.outside)
        return metrics.notRecorded(found)
    }

    /// What a layer refused and no pair has.
    private func notRecorded(of all: Count, recorded: Count?) -> Tally {
        let recorded = recorded ?? .zero
        guard all.packets > recorded.packets else { return Tally() }
        return Tally(
            packets: all.packets - recorded.packets,
            bytes: all.bytes - min(all.bytes, recorded.bytes))
    }

    /// Every packet that the host filter refused, whether its flow was recorded or not.
    private func allRefusedOutside() -> Count {
        guard let hostFilter else { return ledger.hostRefused ?? .zero }
        return compilation.topology.endpoints.reduce(into: ledger.hostRefused ?? .zero) {
            for count in ((try? hostFilter.totals(of: $1.id)) ?? [:]).values { $0 += count }
        }
    }

    /// What each rule let through, counted where it is called if that is an endpoint, else where
    /// the call comes from: both ends count the same packets.
    private func rules(
        _ sums: [Ledger.RuleKey: RuleCount], _ outside: [Ledger.RuleKey: RuleCount]?
    ) -> [RuleCounters] {
        rulesInOrder().map { rule in
            let key = Ledger.RuleKey(rule: rule.id, direction: rule.countedDirection)
            let host = outside.map { Tally($0[key] ?? RuleCount()) }
            let count = Tally(sums[key] ?? RuleCount())
            return RuleCounters(
                rule, counts: configuration.hostFilter == .only ? host ?? count : count,
                hostFilter: host)
        }
    }

    /// Every rule in force, in the order of files and lines.
    func rulesInOrder() -> [Rule] {
        inputs.accepted.files.inOrder.flatMap(\.rules)
    }

    /// What the host filter's rules have counted, by rule; nil where it is off.
    func hostSums(
        _ admitted: inout [NamespaceID: Tally]
    ) -> [Ledger.RuleKey: RuleCount]? {
        guard let hostFilter else { return nil }
        var sums = ledger.hostCarried ?? [:]
        for (id, rules) in heldByHostFilter {
            guard let counts = try? hostFilter.counts(of: id) else { continue }
            for (mark, count) in counts {
                guard let rule = rules[mark] else { continue }
                sums[.init(rule: rule.id, direction: rule.direction), default: RuleCount()] += count
                guard configuration.hostFilter == .only else { continue }
                admitted[id] = (admitted[id] ?? Tally()) + Tally(count)
            }
        }
        return sums
    }

    private func refusedOutside(_ id: NamespaceID) -> Tally? {
        guard let totals = try? hostFilter?.totals(of: id) else { return nil }
        return Tally(totals.values.reduce(into: Count.zero) { $0 += $1 }, flows: 0)
    }

    func pairs() -> [RefusedPair] {
        ledger.book.totals.map { pair, tally in
            RefusedPair(
                source: pair.source, destination: pair.destination, direction: pair.direction,
                layer: pair.layer ?? .nftables, reason: pair.reason, counts: tally)
        }
        .sorted {
            ($0.source.name, $0.destination.name, $0.direction.rawValue, $0.reason.rawValue)
                < ($1.source.name, $1.destination.name, $1.direction.rawValue, $1.reason.rawValue)
        }
    }

    /// How many refused flows are remembered, by endpoint.
    private func refusedFlows() -> [NamespaceID: UInt64] {
        ledger.book.records.values.reduce(into: [:]) { flows, record in
            guard record.key.host == nil else { return }
            flows[record.key.endpoint, default: 0] += record.flows ?? 1
        }
    }
}

extension Rule {
    /// Where a rule's packets are counted: both ends count the same ones.
    var countedDirection: Direction {
        to.contains(where: \.selectsEndpoints) ? .ingress : .egress
    }
}

extension EndpointTotals {
    var allRefused: Count { refused.values.reduce(into: .zero) { $0 += $1 } }
}

extension Tally {
    init(_ count: RuleCount) { self.init(count.traffic, flows: count.flows) }

    init(_ count: Count, flows: UInt64) {
        self.init(packets: count.packets, bytes: count.bytes, flows: flows)
    }
}
