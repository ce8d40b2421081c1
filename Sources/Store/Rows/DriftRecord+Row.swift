internal import GRDB
internal import Reports

extension DriftRecord {
    private static let insert = """
        INSERT INTO drift (found, tenant, endpoint, change, process, pid, user, is_repaired)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)
        """

    func write(to database: Database) throws {
        try database.cachedStatement(sql: Self.insert).execute(
            arguments: [
                kept(found), kept(tenant), kept(endpoint), kept(change), kept(process), pid, user,
                isRepaired,
            ])
    }

    init(_ row: Row) throws {
        self.init(
            found: try row.moment("found"), tenant: row.optionalText("tenant"),
            endpoint: try row.text("endpoint"), change: try row.text("change"),
            process: row.optionalText("process"), pid: try row.optionalNumber("pid"),
            user: try row.optionalNumber("user"),
            isRepaired: try row.number("is_repaired") as Int != 0)
    }
}
