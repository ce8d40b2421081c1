internal import GRDB
internal import NetTypes
internal import Reports

extension AgentRun {
    private static let upsert = """
        INSERT INTO run (started, stopped, version, pid) VALUES (?, ?, ?, ?)
        ON CONFLICT DO UPDATE SET stopped = coalesce(excluded.stopped, stopped),
            version = excluded.version
        """

    /// Keeps the run; one that is there already is told how it ended.
    func write(to database: Database) throws {
        try database.cachedStatement(sql: Self.upsert).execute(
            arguments: [kept(started), stopped.map { kept($0) }, kept(version), pid])
    }

    init(_ row: Row) throws {
        self.init(
            started: try row.moment("started"),
            stopped: try row.optionalNumber("stopped").map { Timestamp(milliseconds: $0) },
            version: try row.text("version"), pid: try row.number("pid"))
    }
}
