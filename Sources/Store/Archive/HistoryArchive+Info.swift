internal import GRDB
internal import NetTypes
public import Reports

extension HistoryArchive {
    /// What the file holds, and whether it is sound; reads all of it.
    public func info() throws(StoreError) -> StoreInfo {
        let queue = try open(readonly: true)
        return try run {
            try queue.read { database in
                let answers = try String.fetchAll(database, sql: "PRAGMA quick_check(20)")
                let pages = try Pages(database)
                return StoreInfo(
                    path: path, bytes: HistoryFile.bytes(path), freeBytes: pages.free * pages.size,
                    schema: "v\(Schema.version)",
                    contents: try Self.spans.map {
                        try Self.content(database, $0.table, $0.columns)
                    },
                    damage: answers == ["ok"] ? [] : answers)
            }
        }
    }

    /// The tables with the columns that tell when a row began and ended.
    private static let spans = [
        (table: "violation", columns: ("first", "last")),
        (table: "hourly_total", columns: ("hour", "hour")),
        (table: "generation", columns: ("applied", "applied")),
        (table: "drift", columns: ("found", "found")),
        (table: "run", columns: ("started", "coalesce(stopped, started)")),
    ]

    private static func content(
        _ database: Database, _ table: String, _ columns: (String, String)
    ) throws -> StoreInfo.Content {
        let row = try Row.fetchOne(
            database,
            sql: """
                SELECT count(*) AS count, min(\(columns.0)) AS oldest, max(\(columns.1)) AS newest
                FROM \(table)
                """)
        return StoreInfo.Content(
            table: table, rows: try row?.number("count") ?? 0,
            oldest: try row?.optionalNumber("oldest").map { Timestamp(milliseconds: $0) },
            newest: try row?.optionalNumber("newest").map { Timestamp(milliseconds: $0) })
    }
}
