internal import GRDB
internal import Reports

/// A file of history that somebody other than its agent works with, while the agent runs or not.
///
/// Nothing here holds a lock for longer than a few milliseconds.
public struct HistoryArchive: Sendable {
    public let path: String
    private let patience = Duration.seconds(5)

    /// The history in an agent's state directory.
    public init(directory: String) { path = StoreOptions(directory: directory).path }

    /// Opens the file if there is one, and it is of a version that is known here.
    func open(readonly: Bool) throws(StoreError) -> DatabaseQueue {
        guard FileIdentity(path) != nil else { throw StoreError(.missing, path: path) }
        return try run {
            if !readonly { _ = try check(queue(readonly: true)) }
            return try check(queue(readonly: readonly))
        }
    }

    private func queue(readonly: Bool) throws -> DatabaseQueue {
        var configuration = Configuration.history(patience: patience, readonly: readonly)
        configuration.journalMode = .wal
        return try DatabaseQueue(path: path, configuration: configuration)
    }

    private func check(_ queue: DatabaseQueue) throws -> DatabaseQueue {
        try queue.read { database in
            try HistoryFile.refuseNewer(database, path: path)
            guard try database.tableExists("grdb_migrations"),
                try Schema.migrator.hasCompletedMigrations(database)
            else {
                throw StoreError(
                    .unusable, path: path,
                    detail: "it holds no history of this version; "
                        + "an agent that starts makes its tables, or brings them up to date")
            }
        }
        return queue
    }

    /// Turns whatever SQLite answers into one kind of error.
    func run<Answer>(_ work: () throws -> Answer) throws(StoreError) -> Answer {
        do {
            return try work()
        } catch {
            throw StoreError(error, path: path)
        }
    }
}
