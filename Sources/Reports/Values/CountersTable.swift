public import NetTypes
internal import Policy

/// What counters are added up by.
public enum CountersGrouping: String, Hashable, Sendable, Codable, CaseIterable {
    case rule
    case pair
    case tenant
    case endpoint
    case reason
}

/// Counters added up one way: a name in several parts, and what passed and was refused under it.
public struct CountersTable: Hashable, Sendable {
    public struct Row: Hashable, Sendable {
        /// The parts of the name, as many as there are titles.
        public var names: [String]
        /// Nil where it is not counted this way.
        public var admitted: Tally?
        public var refused: Tally?
    }

    public var grouping: CountersGrouping
    public var since: Timestamp?
    public var rows: [Row]
    /// What was refused, but is in no row.
    public var notRecorded: Tally
}

extension CountersTable {
    /// What the parts of a row's name are.
    public var titles: [String] {
        switch grouping {
        case .rule: ["rule", "policy", "place", "service"]
        case .pair: ["source", "destination", "reasons"]
        case .tenant: ["tenant"]
        case .endpoint: ["tenant", "endpoint"]
        case .reason: ["reason"]
        }
    }

    var hasAdmitted: Bool { grouping != .pair && grouping != .reason }

    var hasRefused: Bool { grouping != .rule }
}

extension CountersReport {
    /// The same counters added up one way; where most passed or was refused comes first.
    ///
    /// - Parameter grouping: By what.
    /// - Returns: The sums.
    public func grouped(by grouping: CountersGrouping) -> CountersTable {
        var table = CountersTable(
            grouping: grouping, since: since, rows: rows(by: grouping), notRecorded: notRecorded)
        table.rows.sort { left, right in
            let (more, less) = (left.weight, right.weight)
            return more == less
                ? left.names.lexicographicallyPrecedes(right.names) : more > less
        }
        return table
    }

    private func rows(by grouping: CountersGrouping) -> [CountersTable.Row] {
        switch grouping {
        case .rule:
            rules.map { rule in
                .init(
                    names: [
                        rule.rule.description, rule.policy, rule.place.description, rule.service,
                    ], admitted: rule.counts)
            }
        case .pair: pairRows
        case .tenant:
            sums(of: endpoints) { [$0.tenant] }
        case .endpoint:
            sums(of: endpoints) { [$0.tenant, $0.endpoint] }
        case .reason:
            Dictionary(grouping: refused, by: \.reason).map { reason, pairs in
                .init(names: [reason.rawValue], refused: pairs.total)
            }
        }
    }

    private var pairRows: [CountersTable.Row] {
        Dictionary(grouping: refused) { PartyPair($0.source, $0.destination) }.map { pair, lines in
            let reasons = Set(lines.map(\.reason.rawValue)).sorted()
            return .init(
                names: [
                    pair.source.name, pair.destination.name, reasons.joined(separator: ", "),
                ], refused: lines.total)
        }
    }

    private func sums(
        of endpoints: [EndpointCounters], _ names: (EndpointCounters) -> [String]
    ) -> [CountersTable.Row] {
        Dictionary(grouping: endpoints, by: names).map { names, endpoints in
            .init(
                names: names, admitted: endpoints.reduce(Tally()) { $0 + $1.admitted },
                refused: endpoints.reduce(Tally()) {
                    $0 + $1.refused + ($1.refusedByHostFilter ?? Tally())
                })
        }
    }
}

extension [RefusedPair] {
    fileprivate var total: Tally { reduce(Tally()) { $0 + $1.counts } }
}

extension CountersTable.Row {
    fileprivate var weight: UInt64 { (refused ?? admitted)?.packets ?? 0 }
}

extension CountersTable: Encodable {
    private struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(_ name: String) { stringValue = name }

        init?(stringValue: String) { self.stringValue = stringValue }

        init?(intValue: Int) { nil }
    }

    /// Each row has its names under their titles.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(grouping, forKey: Key("by"))
        try container.encodeIfPresent(since, forKey: Key("since"))
        try container.encode(notRecorded, forKey: Key("notRecorded"))
        var list = container.nestedUnkeyedContainer(forKey: Key("rows"))
        for row in rows {
            var fields = list.nestedContainer(keyedBy: Key.self)
            for (title, name) in zip(titles, row.names) {
                try fields.encode(name, forKey: Key(title))
            }
            try fields.encodeIfPresent(row.admitted, forKey: Key("admitted"))
            try fields.encodeIfPresent(row.refused, forKey: Key("refused"))
        }
    }
}
