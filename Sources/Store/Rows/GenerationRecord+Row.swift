internal import GRDB
internal import Reports

/// Files are kept as the span of generations in which they had a digest, so a generation costs
/// what it changed, not what it has.
extension GenerationRecord {
    private static let upsert = """
        INSERT INTO generation (
            number, applied, changed_endpoints, read_milliseconds, compile_milliseconds,
            apply_milliseconds, changes, errors)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT DO UPDATE SET
            changed_endpoints = excluded.changed_endpoints,
            read_milliseconds = excluded.read_milliseconds,
            compile_milliseconds = excluded.compile_milliseconds,
            apply_milliseconds = excluded.apply_milliseconds,
            changes = excluded.changes, errors = excluded.errors
        """

    func write(to database: Database) throws {
        let isThere = try database.cachedStatement(
            sql: "SELECT 1 FROM generation WHERE applied = ? AND number = ?")
        let isKnown = try Bool.fetchOne(isThere, arguments: [kept(applied), kept(number)]) != nil
        try database.cachedStatement(sql: Self.upsert).execute(
            arguments: [
                kept(number), kept(applied), changedEndpoints, readMilliseconds.finite,
                compileMilliseconds.finite, applyMilliseconds.finite, try json(changes),
                try json(errors),
            ])
        // The files of a generation that is there have later ones built upon them.
        if !isKnown { try writeFiles(to: database, id: database.lastInsertedRowID) }
    }

    private func writeFiles(to database: Database, id: Int64) throws {
        let end = try database.cachedStatement(
            sql: "UPDATE policy_file SET until = ? WHERE path = ? AND until IS NULL")
        let begin = try database.cachedStatement(
            sql: "INSERT INTO policy_file VALUES (?, ?, ?, NULL)")
        let before = try Self.files(
            Row.fetchAll(database, sql: "SELECT path, digest FROM policy_file WHERE until IS NULL"))
        for (path, digest) in before where files[path] != digest {
            try end.execute(arguments: [id, kept(path)])
        }
        for (path, digest) in files where before[path] != digest {
            try begin.execute(arguments: [kept(path), kept(digest), id])
        }
    }

    init(_ row: Row, from database: Database) throws {
        let id: Int64 = try row.number("id")
        let files = try Row.fetchAll(
            database,
            sql: """
                SELECT path, digest FROM policy_file
                WHERE since <= ? AND (until IS NULL OR until > ?)
                """, arguments: [id, id])
        self.init(
            number: try row.number("number"), applied: try row.moment("applied"),
            changedEndpoints: try row.number("changed_endpoints"),
            readMilliseconds: try row.real("read_milliseconds"),
            compileMilliseconds: try row.real("compile_milliseconds"),
            applyMilliseconds: try row.real("apply_milliseconds"),
            files: try Self.files(files), changes: try row.json("changes"),
            errors: try row.json("errors"))
    }

    private static func files(_ rows: [Row]) throws -> [String: String] {
        var files: [String: String] = [:]
        for row in rows { files[try row.text("path")] = try row.text("digest") }
        return files
    }
}

extension Double {
    /// SQLite keeps what is no number as NULL.
    fileprivate var finite: Double { isFinite ? self : 0 }
}
