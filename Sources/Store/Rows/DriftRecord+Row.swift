internal import GRDB
internal import Reports

extension DriftRecord {
    private static let upsert = """
        INSERT INTO drift (
            found, tenant, endpoint, change, process, pid, user, is_repaired, key, kind, login,
            repair_milliseconds, times, last)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (key) DO UPDATE SET
            change = excluded.change,
            is_repaired = excluded.is_repaired,
            repair_milliseconds = excluded.repair_milliseconds,
            times = max(coalesce(times, 1), coalesce(excluded.times, 1)),
            last = max(coalesce(last, found), coalesce(excluded.last, excluded.found))
        """

    /// Keeps the record; of one that is there already, what grew.
    func write(to database: Database) throws {
        try database.cachedStatement(sql: Self.upsert).execute(
            arguments: [
                kept(found), kept(tenant), kept(endpoint), kept(change), kept(process), pid, user,
                isRepaired, id, kind?.rawValue, login, repairMilliseconds, times.map(kept),
                last.map(kept),
            ])
    }

    init(_ row: Row) throws {
        self.init(
            id: row.optionalText("key"), found: try row.moment("found"),
            tenant: row.optionalText("tenant"), endpoint: try row.text("endpoint"),
            kind: try row.optionalChoice("kind"), change: try row.text("change"),
            process: row.optionalText("process"), pid: try row.optionalNumber("pid"),
            user: try row.optionalNumber("user"), login: try row.optionalNumber("login"),
            isRepaired: try row.number("is_repaired") as Int != 0,
            repairMilliseconds: row["repair_milliseconds"] as Double?,
            times: try row.optionalNumber("times"),
            last: row["last"] as Int64? == nil ? nil : try row.moment("last"))
    }
}
