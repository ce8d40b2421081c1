internal import Foundation
internal import GRDB
public import NetTypes
public import Reports

extension Store {
    /// A page of refused flows, those whose window began last first.
    public func violations(
        _ query: ViolationQuery = ViolationQuery()
    ) async throws(StoreError) -> ViolationPage {
        let statement = try query.statement(path: options.path)
        let limit = query.pageSize
        return try await reading { database in
            let rows = try Row.fetchAll(
                database, sql: statement.sql, arguments: statement.arguments)
            let page = rows.prefix(limit)
            let end = rows.count > limit ? page.last?["key"] as Data? : nil
            return ViolationPage(
                violations: try page.map { try ViolationRecord($0).violation },
                next: end?.hexadecimal)
        }
    }

    /// Totals of the hours within a range, the latest first.
    public func totals(
        since: Timestamp? = nil, until: Timestamp? = nil, limit: Int = 10_000
    ) async throws(StoreError) -> [HourlyTotal] {
        try await reading { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT * FROM hourly_total WHERE hour >= ? AND hour <= ?
                    ORDER BY hour DESC, source_kind, source_name, destination_kind,
                        destination_name, direction, reason LIMIT ?
                    """,
                arguments: [
                    since?.startOfHour.milliseconds ?? .min, until?.milliseconds ?? .max, limit,
                ]
            ).map { try HourlyTotal($0) }
        }
    }

    /// The last generations, the latest first.
    public func generations(limit: Int = 100) async throws(StoreError) -> [GenerationRecord] {
        try await generations("ORDER BY applied DESC, id DESC LIMIT ?", [limit])
    }

    /// What was in force at a moment; nil if that is not known.
    public func generation(at moment: Timestamp) async throws(StoreError) -> GenerationRecord? {
        try await generations(
            "WHERE applied <= ? ORDER BY applied DESC, id DESC LIMIT 1", [kept(moment)]
        ).first
    }

    /// The latest generation with a number; nil if none is kept.
    public func generation(number: UInt64) async throws(StoreError) -> GenerationRecord? {
        try await generations(
            "WHERE number = ? ORDER BY applied DESC, id DESC LIMIT 1", [kept(number)]
        ).first
    }

    private func generations(
        _ choice: String, _ arguments: StatementArguments
    ) async throws(StoreError) -> [GenerationRecord] {
        try await reading { database in
            try Row.fetchAll(
                database, sql: "SELECT * FROM generation \(choice)", arguments: arguments
            ).map { try GenerationRecord($0, from: database) }
        }
    }

    /// The last lives of agents, the latest first.
    public func runs(limit: Int = 100) async throws(StoreError) -> [AgentRun] {
        try await reading { database in
            try Row.fetchAll(
                database, sql: "SELECT * FROM run ORDER BY started DESC, id DESC LIMIT ?",
                arguments: [limit]
            ).map { try AgentRun($0) }
        }
    }

    /// The last drift that was found, the latest first.
    public func drift(limit: Int = 100) async throws(StoreError) -> [DriftRecord] {
        try await reading { database in
            try Row.fetchAll(
                database, sql: "SELECT * FROM drift ORDER BY found DESC, id DESC LIMIT ?",
                arguments: [limit]
            ).map { try DriftRecord($0) }
        }
    }

    /// The drift that is asked for, the latest last.
    public func drift(_ question: DriftQuestion) async throws(StoreError) -> [DriftRecord] {
        try await reading { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT * FROM drift WHERE coalesce(last, found) >= ?
                    AND (? IS NULL OR tenant = ?)
                    ORDER BY coalesce(last, found) DESC, id DESC LIMIT ?
                    """,
                arguments: [
                    question.since?.milliseconds ?? .min, kept(question.tenant),
                    kept(question.tenant), question.limit,
                ]
            ).reversed().map { try DriftRecord($0) }
        }
    }

    /// Generations, lives of agents, drift, and how the store is; so many of each at most.
    public func history(limit: Int = 100) async throws(StoreError) -> HistoryReport {
        HistoryReport(
            generations: try await generations(limit: limit), runs: try await runs(limit: limit),
            drift: try await drift(limit: limit), store: await status())
    }
}

extension ViolationQuery {
    fileprivate var pageSize: Int { min(max(limit, 1), 10_000) }

    /// The question in SQL; one row more than the page has, to know whether there is another.
    fileprivate func statement(
        path: String
    ) throws(StoreError) -> (sql: String, arguments: StatementArguments) {
        var conditions: [String] = []
        var arguments: StatementArguments = []
        func add(_ condition: String, _ values: [(any DatabaseValueConvertible)?]) {
            conditions.append(condition)
            arguments += StatementArguments(values)
        }
        if let cursor {
            guard let key = Data(hexadecimal: cursor), key.count >= 8 else {
                throw StoreError(.badCursor, path: path, detail: cursor)
            }
            add("key < ?", [key])
        }
        if let until {
            let (end, overflow) = until.milliseconds.addingReportingOverflow(1)
            if !overflow {
                add("key < ?", [Data(ViolationKey.start(Timestamp(milliseconds: end)))])
            }
        }
        if let since { add("last >= ?", [kept(since)]) }
        if let tenant {
            add("(source_tenant = ? OR destination_tenant = ?)", [kept(tenant), kept(tenant)])
        }
        for (side, party) in [("source", source), ("destination", destination)] {
            guard let party else { continue }
            add(
                "\(side)_kind = ? AND \(side)_name = ?", [party.kind.rawValue, kept(party.name)])
        }
        if let reason { add("reason = ?", [reason.rawValue]) }
        if let layer { add("layer = ?", [layer.rawValue]) }
        let choice = conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND ")
        return (
            "SELECT * FROM violation \(choice) ORDER BY key DESC LIMIT \(pageSize + 1)", arguments
        )
    }
}

/// A cursor needs no escape in a URL.
extension Data {
    fileprivate var hexadecimal: String {
        reduce(into: "") { $0 += ($1 < 16 ? "0" : "") + String($1, radix: 16) }
    }

    fileprivate init?(hexadecimal text: String) {
        let digits = text.utf8.compactMap { digit -> UInt8? in
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
            default: nil
            }
        }
        guard digits.count == text.utf8.count, digits.count.isMultiple(of: 2) else { return nil }
        self.init(stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] })
    }
}
