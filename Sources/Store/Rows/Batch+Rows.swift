internal import GRDB
internal import Reports

extension Batch {
    /// Writes every row; the caller's transaction makes it all of them or none.
    ///
    /// - Parameter database: Where to.
    /// - Returns: How many rows no database would take, whatever the state of the disk.
    /// - Throws: What the disk answered.
    func write(to database: Database) throws -> UInt64 {
        var closest = ClosestTexts()
        var refused: UInt64 = 0
        // In the order of the index, and the same one every time.
        let keys = violations.keys.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
        for key in keys {
            try counting(&refused) {
                try violations[key]?.write(to: database, key: key, closest: &closest)
            }
        }
        for (total, counts) in totals {
            try counting(&refused) { try total.write(to: database, counts: counts) }
        }
        for generation in generations {
            try counting(&refused) { try generation.write(to: database) }
        }
        for record in drift { try counting(&refused) { try record.write(to: database) } }
        for run in runs { try counting(&refused) { try run.write(to: database) } }
        return refused
    }

    /// One row that can't be kept must not keep all others out for ever.
    private func counting(_ refused: inout UInt64, _ row: () throws -> Void) throws {
        do {
            try row()
        } catch let error as DatabaseError where !error.isOfTheRow {
            throw error
        } catch {
            refused += 1
        }
    }

    /// All that a database holds; only for one whose rows are bounded.
    init(readingAllOf database: Database) throws {
        self.init()
        for row in try Row.fetchAll(database, sql: "SELECT * FROM violation") {
            let record = try ViolationRecord(row)
            violations[ViolationKey(record.violation)] = record
        }
        for row in try Row.fetchAll(database, sql: "SELECT * FROM hourly_total") {
            add(try HourlyTotal(row))
        }
        generations = try Row.fetchAll(database, sql: "SELECT * FROM generation ORDER BY id")
            .map { try GenerationRecord($0, from: database) }
        drift = try Row.fetchAll(database, sql: "SELECT * FROM drift ORDER BY id")
            .map { try DriftRecord($0) }
        runs = try Row.fetchAll(database, sql: "SELECT * FROM run ORDER BY id")
            .map { try AgentRun($0) }
    }
}

extension DatabaseError {
    /// Whether the row is at fault, not the disk.
    fileprivate var isOfTheRow: Bool {
        [.SQLITE_CONSTRAINT, .SQLITE_MISMATCH, .SQLITE_TOOBIG].contains(resultCode)
    }
}
