internal import Compiler
internal import NetTypes
internal import OrderedCollections
internal import Policy
public import Reports
internal import Rules

extension Agent {
    /// The tenants of the policies, with what their endpoints counted.
    public func tenants() async throws -> TenantsReport {
        let counters = Dictionary(grouping: try await counters().endpoints, by: \.tenant)
        return TenantsReport(
            tenants: inputs.accepted.tenants.values.sorted { $0.name < $1.name }.map { tenant in
                let endpoints = counters[tenant.name] ?? []
                return TenantSummary(
                    name: tenant.name, labels: tenant.labels, place: tenant.place,
                    endpoints: endpoints.count,
                    admitted: endpoints.reduce(Tally()) { $0 + $1.admitted },
                    refused: endpoints.reduce(Tally()) { $0 + $1.refused })
            })
    }

    /// The endpoints, with what they counted.
    public func endpoints() async throws -> EndpointsReport {
        let counters = try await counters().endpoints
        let known = Dictionary(
            counters.map { (EndpointName(tenant: $0.tenant, name: $0.endpoint), $0) },
            uniquingKeysWith: { first, _ in first })
        return EndpointsReport(
            endpoints: status().endpoints.map { status in
                EndpointSummary(
                    status: status,
                    counters: known[EndpointName(tenant: status.tenant, name: status.name)]
                        ?? EndpointCounters(
                            tenant: status.tenant, endpoint: status.name, admitted: Tally(),
                            refused: Tally()))
            })
    }

    /// The rules in force, a page of those that are asked for; nil for a cursor that isn't one.
    public func rules(_ question: RulesQuestion) async throws -> RulesReport? {
        var start: SourcePlace?
        if let cursor = question.cursor {
            guard let place = SourcePlace(cursor: cursor) else { return nil }
            start = place
        }
        let counted = Dictionary(
            try await counters().rules.map { ($0.rule, $0) },
            uniquingKeysWith: { first, _ in first })
        let index = PartyIndex(inputs.accepted, compilation.topology)
        var page: [RuleSummary] = []
        for rule in rulesInOrder() {
            if let start, rule.place <= start { continue }
            guard index.covers(rule.from, question.source),
                index.covers(rule.to, question.destination)
            else { continue }
            if page.count == question.limit {
                return RulesReport(rules: page, next: page.last?.rule.place.cursor)
            }
            let counters = counted[rule.id]
            page.append(
                RuleSummary(
                    rule: RuleReference(rule), from: rule.from.map(\.description),
                    to: rule.to.map(\.description), service: rule.service.description,
                    admitted: counters?.counts ?? Tally(), hostFilter: counters?.hostFilter))
        }
        return RulesReport(rules: page)
    }

    /// Who may talk to whom, and who tried.
    public func matrix() -> MatrixReport {
        readAllRefusals()
        readHostRefusals()
        let now = clock()
        var refused: [MatrixPair: Tally] = [:]
        var last: [MatrixPair: Timestamp] = [:]
        for (pair, tally) in ledger.book.totals {
            let key = MatrixPair(
                source: pair.source.inMatrix, destination: pair.destination.inMatrix)
            refused[key] = (refused[key] ?? Tally()) + tally
            guard let moment = ledger.book.lastRefused?[pair] else { continue }
            last[key] = max(last[key] ?? moment, moment)
        }
        let rules = PartyIndex(inputs.accepted, compilation.topology).rulesOfPairs()
        let keys = Set(rules.keys).union(refused.keys)
        return MatrixReport(
            generation: ledger.generation, at: now, tenants: inputs.accepted.tenants.keys.sorted(),
            cells: keys.sorted().map { key in
                MatrixCell(
                    source: key.source, destination: key.destination, rules: rules[key] ?? 0,
                    refused: refused[key] ?? Tally(), lastRefused: last[key], at: now)
            })
    }
}

extension PartyName {
    /// Strangers share one row and one column.
    fileprivate var inMatrix: PartyName { kind == .address ? .others : self }
}

extension SourcePlace {
    /// What a client hands back to go on behind the place.
    fileprivate var cursor: String { "\(line):\(column):\(file)" }

    fileprivate init?(cursor: String) {
        let parts = cursor.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, let line = Int(parts[0]), let column = Int(parts[1]) else {
            return nil
        }
        self.init(file: String(parts[2]), line: line, column: column)
    }
}
