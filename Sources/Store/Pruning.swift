internal import Foundation
internal import GRDB
internal import NetTypes
internal import Reports

/// Takes away what is too old or too much, a little at a time, so that writers never wait long.
enum Pruning {
    /// How many rows one step takes at most.
    static let rows = 1000
    /// How many pages one step gives back to the disk.
    private static let pages = 1000

    /// Takes one step in a transaction of its own.
    ///
    /// - Parameters:
    ///   - database: Where to.
    ///   - cutoff: What ended before goes; nil if nothing is too old.
    ///   - bytes: How large the file may be; nil if it may be of any size.
    /// - Returns: How many rows went, by table; nil if there is nothing left to do.
    /// - Throws: What SQLite answered.
    static func step(
        _ database: Database, olderThan cutoff: Timestamp?, bytes: Int64?
    ) throws -> [String: Int]? {
        if let cutoff, let gone = try takeOld(database, cutoff) { return gone }
        let pages = try Pages(database)
        if let bytes, pages.usedBytes > bytes, let gone = try takeOldest(database) { return gone }
        guard pages.isWorthShrinking(to: bytes ?? .max) else { return nil }
        try database.execute(sql: "PRAGMA incremental_vacuum(\(Self.pages))")
        return try Pages(database).total < pages.total ? [:] : nil
    }

    /// Rows that are too old; nil if there are none.
    private static func takeOld(_ database: Database, _ cutoff: Timestamp) throws -> [String: Int]?
    {
        let moment = kept(cutoff)
        return try delete(
            database, "violation",
            "SELECT id FROM violation WHERE key < ? AND last < ? ORDER BY key LIMIT \(rows)",
            [Data(ViolationKey.start(cutoff)), moment])
            ?? deleteHour(database, before: moment)
            ?? delete(
                database, "drift",
                "SELECT id FROM drift WHERE found < ? ORDER BY found LIMIT \(rows)", [moment])
            ?? deleteGenerations(database, inForceBefore, [moment])
            ?? delete(
                database, "run",
                """
                SELECT id FROM run WHERE coalesce(stopped, started) < ?
                AND id < (SELECT max(id) FROM run) LIMIT \(rows)
                """, [moment])
    }

    /// The oldest rows, violations first; nil if nothing may go.
    private static func takeOldest(_ database: Database) throws -> [String: Int]? {
        try delete(
            database, "violation", "SELECT id FROM violation ORDER BY key LIMIT \(rows)")
            ?? delete(database, "drift", "SELECT id FROM drift ORDER BY found LIMIT \(rows)")
            ?? deleteHour(database, before: .max)
            ?? deleteGenerations(database, "id < (SELECT max(id) FROM generation)")
    }

    private static func delete(
        _ database: Database, _ table: String, _ chosen: String,
        _ arguments: StatementArguments = []
    ) throws -> [String: Int]? {
        try database.execute(
            sql: "DELETE FROM \(table) WHERE id IN (\(chosen))", arguments: arguments)
        return database.changesCount == 0 ? nil : [table: database.changesCount]
    }

    /// The oldest hour as a whole: its totals say nothing one without the other.
    private static func deleteHour(
        _ database: Database, before moment: Int64
    ) throws -> [String: Int]? {
        try database.execute(
            sql: """
                DELETE FROM hourly_total
                WHERE hour = (SELECT min(hour) FROM hourly_total) AND hour < ? - 3600000
                """, arguments: [moment])
        return database.changesCount == 0 ? nil : ["hourly_total": database.changesCount]
    }

    private static func deleteGenerations(
        _ database: Database, _ condition: String, _ arguments: StatementArguments = []
    ) throws -> [String: Int]? {
        let gone = try delete(
            database, "generation",
            "SELECT id FROM generation WHERE \(condition) ORDER BY id LIMIT \(rows)", arguments)
        guard gone != nil else { return nil }
        try database.execute(
            sql: "DELETE FROM policy_file WHERE until <= (SELECT min(id) FROM generation)")
        return gone
    }

    /// How many rows would go, by table; for a size as many violations as the average says.
    static func prospect(
        _ database: Database, olderThan cutoff: Timestamp?, bytes: Int64?
    ) throws -> [String: Int] {
        var rows: [String: Int] = [:]
        let moment = kept(cutoff ?? Timestamp(milliseconds: .min))
        for (table, condition) in [
            ("violation", "last < ?"), ("hourly_total", "hour < ? - 3600000"),
            ("drift", "found < ?"), ("generation", inForceBefore),
            ("run", "coalesce(stopped, started) < ? AND id < (SELECT max(id) FROM run)"),
        ] where cutoff != nil {
            rows[table] = try Int.fetchOne(
                database, sql: "SELECT count(*) FROM \(table) WHERE \(condition)",
                arguments: [moment])
        }
        let used = try Pages(database).usedBytes
        if let bytes, used > bytes {
            let count = try Int.fetchOne(database, sql: "SELECT count(*) FROM violation") ?? 0
            let excess = Double(count) * Double(used - bytes) / Double(used)
            rows["violation"] = max(rows["violation"] ?? 0, Int(excess.rounded(.up)))
        }
        return rows
    }

    /// The generation that was in force at a moment stays: it is the answer to what was then.
    private static let inForceBefore = """
        id < (SELECT id FROM generation WHERE applied <= ? ORDER BY applied DESC, id DESC LIMIT 1)
        """

    /// Keeps every table within a number of rows, the newest; gives how many went.
    static func trim(_ database: Database, to limit: Int) throws -> UInt64 {
        var gone: UInt64 = 0
        for (table, order, most) in [
            ("violation", "key", limit), ("drift", "id", limit), ("run", "id", Batch.runLimit),
            ("generation", "id", Batch.generationLimit),
        ] {
            let count = try Int.fetchOne(database, sql: "SELECT count(*) FROM \(table)") ?? 0
            guard count > most else { continue }
            let chosen = "SELECT id FROM \(table) ORDER BY \(order) LIMIT \(count - most)"
            gone += UInt64(try delete(database, table, chosen)?[table] ?? 0)
        }
        try database.execute(
            sql: "DELETE FROM policy_file WHERE until <= (SELECT min(id) FROM generation)")
        while try Int.fetchOne(database, sql: "SELECT count(*) FROM hourly_total") ?? 0 > limit,
            let hour = try deleteHour(database, before: .max)
        {
            gone += UInt64(hour["hourly_total"] ?? 0)
        }
        return gone
    }
}

/// How much of the file is in use.
struct Pages {
    let total: Int64
    let free: Int64
    let size: Int64

    init(_ database: Database) throws {
        total = try Int64.fetchOne(database, sql: "PRAGMA page_count") ?? 0
        free = try Int64.fetchOne(database, sql: "PRAGMA freelist_count") ?? 0
        size = try Int64.fetchOne(database, sql: "PRAGMA page_size") ?? 4096
    }

    var usedBytes: Int64 { (total - free) * size }

    /// Free pages serve new rows; many of them, or a file that is too large, are given back.
    func isWorthShrinking(to bytes: Int64) -> Bool {
        free > 0 && (total * size > bytes || (free > 1024 && free > total / 4))
    }
}
