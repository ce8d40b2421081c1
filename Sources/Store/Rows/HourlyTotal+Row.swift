internal import GRDB
internal import NetTypes
internal import Reports

extension HourlyTotal {
    /// A sum above the largest number stays there; SQLite would go on in floating point.
    private static func sum(_ column: String) -> String {
        "\(column) = \(column) + min(excluded.\(column), \(Int64.max) - \(column))"
    }

    private static let upsert = """
        INSERT INTO hourly_total VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT DO UPDATE SET \(sum("packets")), \(sum("bytes")), \(sum("flows"))
        """

    /// Adds the counts to what the hour has.
    func write(to database: Database, counts: Tally) throws {
        try database.cachedStatement(sql: Self.upsert).execute(
            arguments: [
                kept(hour), source.kind.rawValue, kept(source.name), destination.kind.rawValue,
                kept(destination.name), direction.rawValue, reason?.rawValue ?? "",
                kept(counts.packets), kept(counts.bytes), kept(counts.flows),
            ])
    }

    init(_ row: Row) throws {
        self.init(
            at: try row.moment("hour"), source: try row.party("source"),
            destination: try row.party("destination"), direction: try row.choice("direction"),
            reason: try row.text("reason").isEmpty ? nil : try row.choice("reason"),
            counts: Tally(
                packets: try row.number("packets"), bytes: try row.number("bytes"),
                flows: try row.number("flows")))
    }
}
