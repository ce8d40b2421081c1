internal import Compiler
internal import Logging
internal import NetTypes
internal import Nftables
internal import OrderedCollections
internal import Policy
public import Reports
internal import Rules

extension Agent {
    /// Reads every counter there is.
    public func counters() -> CountersReport {
        var sums = ledger.carried
        var unkept = ledger.unkept
        var admitted: [NamespaceID: Tally] = [:]
        for (id, holding) in holdings {
            guard let counts = counts(of: id) else { continue }
            for (mark, count) in counts.rules {
                guard let rule = holding.state?.rules[mark] else { continue }
                sums[.init(rule: rule.id, direction: rule.direction), default: RuleCount()] += count
                admitted[id, default: Tally()] = (admitted[id] ?? Tally()) + Tally(count)
            }
            for count in counts.unkept.values { unkept += count }
        }
        return CountersReport(
            since: ledger.since, rules: rules(sums), refused: pairs(),
            endpoints: compilation.topology.endpoints.map { endpoint in
                EndpointCounters(
                    tenant: endpoint.tenant, endpoint: endpoint.name,
                    admitted: admitted[endpoint.id] ?? Tally(),
                    refused: refused(at: endpoint.id))
            },
            notRecorded: Tally(packets: unkept.packets, bytes: unkept.bytes))
    }

    private func counts(of id: NamespaceID) -> TableCounts? {
        guard let tenure = tenures[id], holdings[id]?.state != nil else { return nil }
        do throws(NftablesError) {
            let counts = try tenure.table.counts()
            takeRefusals(counts, of: id)
            return counts
        } catch {
            logger.error("counters of \(observed[id]?.name ?? "\(id)"): \(error)")
            return nil
        }
    }

    /// What each rule let through, counted where it is called if that is an endpoint, else where
    /// the call comes from: both ends count the same packets.
    private func rules(_ sums: [Ledger.RuleKey: RuleCount]) -> [RuleCounters] {
        inputs.accepted.files.values.flatMap(\.rules).sorted { $0.place < $1.place }.map { rule in
            let direction: Direction =
                rule.to.contains(where: \.selectsEndpoints) ? .ingress : .egress
            let count = sums[.init(rule: rule.id, direction: direction)] ?? RuleCount()
            return RuleCounters(rule, counts: Tally(count))
        }
    }

    private func pairs() -> [RefusedPair] {
        ledger.book.totals.map { pair, tally in
            RefusedPair(
                source: pair.source, destination: pair.destination, direction: pair.direction,
                reason: pair.reason, counts: tally)
        }
        .sorted {
            ($0.source.name, $0.destination.name, $0.direction.rawValue, $0.reason.rawValue)
                < ($1.source.name, $1.destination.name, $1.direction.rawValue, $1.reason.rawValue)
        }
    }

    /// What the remembered flows of one endpoint add up to.
    private func refused(at id: NamespaceID) -> Tally {
        ledger.book.records.values.reduce(into: Tally()) { sum, record in
            guard record.key.endpoint == id else { return }
            sum =
                sum + Tally(packets: record.count.packets, bytes: record.count.bytes, flows: 1)
        }
    }
}

extension Tally {
    fileprivate init(_ count: RuleCount) {
        self.init(
            packets: count.traffic.packets, bytes: count.traffic.bytes, flows: count.flows)
    }
}
