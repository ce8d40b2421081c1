internal import Foundation
internal import GRDB
public import NetTypes
internal import Reports

extension HistoryArchive {
    /// What a line of an export is about.
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        case violation
        case total
        case generation
        case drift
        case run
    }

    /// How many rows are read at a time: a long reader would keep the agent's log from shrinking.
    private static let chunk = 500

    /// Reads every row of a kind, the oldest first, as JSON objects without a line feed.
    ///
    /// - Parameters:
    ///   - kind: Which rows; the object tells it under `kind`.
    ///   - since: What ended before is left out.
    ///   - until: What began later is left out.
    ///   - take: Gets each object.
    /// - Throws: What is wrong with the file, or what `take` threw.
    public func export(
        _ kind: Kind, since: Timestamp? = nil, until: Timestamp? = nil,
        _ take: ([UInt8]) throws -> Void
    ) throws {
        let queue = try open(readonly: true)
        let (since, until) = (
            since ?? .init(milliseconds: .min), until ?? .init(milliseconds: .max)
        )
        var place = DatabaseValue.null
        while true {
            let (lines, next) = try run {
                try queue.read { database in
                    try kind.lines(database, since, until, after: place, count: Self.chunk)
                }
            }
            try lines.forEach(take)
            guard let next else { return }
            place = next
        }
    }
}

extension HistoryArchive.Kind {
    /// Some rows behind a place, and the place behind them; nil at the end.
    fileprivate func lines(
        _ database: Database, _ since: Timestamp, _ until: Timestamp, after place: DatabaseValue,
        count: Int
    ) throws -> ([[UInt8]], DatabaseValue?) {
        let rows = try Row.fetchAll(
            database, sql: "SELECT * FROM \(table) WHERE \(choice(count))",
            arguments: [
                "since": self == .total ? kept(since.startOfHour) : kept(since),
                "until": kept(until), "place": place,
            ])
        let lines = try rows.map { try line($0, database) }
        // An hour comes as a whole, however many rows it has.
        guard let last = rows.last, self == .total || rows.count == count else {
            return (lines, nil)
        }
        return (lines, last[order] as DatabaseValue)
    }

    private func line(_ row: Row, _ database: Database) throws -> [UInt8] {
        switch self {
        case .violation:
            let record = try ViolationRecord(row)
            return try Line.bytes(
                self, record.violation, source: record.source, destination: record.destination)
        case .total: return try Line.bytes(self, HourlyTotal(row))
        case .generation: return try Line.bytes(self, GenerationRecord(row, from: database))
        case .drift: return try Line.bytes(self, DriftRecord(row))
        case .run: return try Line.bytes(self, AgentRun(row))
        }
    }

    private var table: String {
        switch self {
        case .violation: "violation"
        case .total: "hourly_total"
        case .generation: "generation"
        case .drift: "drift"
        case .run: "run"
        }
    }

    private func choice(_ count: Int) -> String {
        let further = "(:place IS NULL OR \(order) > :place) AND \(range)"
        return self == .total
            ? "hour = (SELECT min(hour) FROM hourly_total WHERE \(further)) "
                + "AND \(range)"
            : "\(further) ORDER BY \(order) LIMIT \(count)"
    }

    private var order: String {
        switch self {
        case .violation: "key"
        case .total: "hour"
        case .generation, .drift, .run: "id"
        }
    }

    private var range: String {
        switch self {
        case .violation: "last >= :since AND first <= :until"
        case .total: "hour >= :since AND hour <= :until"
        case .generation: "applied >= :since AND applied <= :until"
        case .drift: "coalesce(last, found) >= :since AND found <= :until"
        // What has not been told to have stopped may still go on.
        case .run: "coalesce(stopped, \(Int64.max)) >= :since AND started <= :until"
        }
    }
}

/// A value as one JSON object that tells its kind.
private struct Line<Value: Encodable>: Encodable {
    let kind: HistoryArchive.Kind
    let value: Value
    let source: PartyName?
    let destination: PartyName?

    enum CodingKeys: String, CodingKey {
        case kind
        case source = "sourceParty"
        case destination = "destinationParty"
    }

    static func bytes(
        _ kind: HistoryArchive.Kind, _ value: Value, source: PartyName? = nil,
        destination: PartyName? = nil
    ) throws -> [UInt8] {
        try ReportJSON.line(
            Line(kind: kind, value: value, source: source, destination: destination))
    }

    func encode(to encoder: any Encoder) throws {
        try value.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(kind.rawValue, forKey: .kind)
        try container.encodeIfPresent(source, forKey: .source)
        try container.encodeIfPresent(destination, forKey: .destination)
    }
}
