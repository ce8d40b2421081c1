internal import Foundation
internal import GRDB
internal import Glibc
internal import Linux
internal import NetTypes
internal import Reports

/// The file on the disk, open for one writer and some readers.
struct HistoryFile {
    let path: String
    let database: DatabasePool
    /// Which file was opened; another one at the same path is not this one.
    private let identity: FileIdentity

    /// Opens the file, or makes a new one where there is none.
    ///
    /// Nothing is written to a file that is damaged, or that a later version wrote.
    init(opening path: String, patience: Duration) throws(StoreError) {
        self.path = path
        do {
            try Self.create(path)
            try Self.inspect(path, patience: patience)
            database = try DatabasePool(
                path: path, configuration: .history(patience: patience))
            try Schema.migrator.migrate(database)
            guard let identity = FileIdentity(path) else { throw StoreError(.missing, path: path) }
            self.identity = identity
        } catch {
            throw StoreError(error, path: path)
        }
    }

    /// Whether the path still leads to the file that is open.
    var isInPlace: Bool { FileIdentity(path) == identity }

    /// Of the file and its log.
    var bytes: Int64 { Self.bytes(path) }

    static func bytes(_ path: String) -> Int64 {
        ["", "-wal"].reduce(0) { $0 + (FileIdentity(path + $1)?.size ?? 0) }
    }

    /// Only root reads who talked to whom; the log gets the same permissions.
    private static func create(_ path: String) throws {
        try makeFolders(above: path)
        let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        if file >= 0 {
            _ = Glibc.close(file)
        } else if errno != EEXIST {
            throw SystemError("open", on: path, code: errno)
        }
    }

    /// Looks before anything is written.
    private static func inspect(_ path: String, patience: Duration) throws {
        guard FileIdentity(path)?.size != 0 else { return }
        try DatabaseQueue(
            path: path, configuration: .history(patience: patience, readonly: true)
        ).read { database in
            try refuseNewer(database, path: path)
            try quickCheck(database, path: path)
        }
    }

    static func refuseNewer(_ database: Database, path: String) throws {
        guard try database.tableExists("grdb_migrations"),
            try Schema.migrator.hasBeenSuperseded(database)
        else { return }
        let last = try String.fetchOne(database, sql: "SELECT max(identifier) FROM grdb_migrations")
        throw StoreError(
            .newer, path: path,
            detail: "its schema is \(last ?? "unknown"), this version knows v\(Schema.version)")
    }

    static func quickCheck(_ database: Database, path: String) throws {
        let answer = try String.fetchOne(database, sql: "PRAGMA quick_check(1)")
        if let answer, answer != "ok" { throw StoreError(.damaged, path: path, detail: answer) }
    }

    /// Renames the file and its log, so that nothing of them is lost; gives the new name.
    static func setAside(_ path: String, at moment: Timestamp) throws(SystemError) -> String {
        let time = moment.description.filter { $0 != ":" }
        var name = "\(path).damaged-\(time)"
        var number = 1
        while FileIdentity(name) != nil {
            number += 1
            name = "\(path).damaged-\(time)-\(number)"
        }
        // The log first: a new file with an old log would be worse than either.
        for suffix in ["-wal", "-shm", ""] where FileIdentity(path + suffix) != nil {
            _ = try check("rename", on: path + suffix) { rename(path + suffix, name + suffix) }
        }
        return name
    }
}

/// Which file a path leads to, and how large it is.
struct FileIdentity: Equatable {
    let device: UInt64
    let inode: UInt64
    let size: Int64

    /// Nil where there is no file.
    init?(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        size = Int64(status.st_size)
    }

    static func == (left: FileIdentity, right: FileIdentity) -> Bool {
        (left.device, left.inode) == (right.device, right.inode)
    }
}

extension Configuration {
    /// How every connection to history is set up.
    static func history(patience: Duration, readonly: Bool = false) -> Configuration {
        var configuration = Configuration()
        configuration.readonly = readonly
        configuration.busyMode = .timeout(patience.seconds)
        configuration.maximumReaderCount = 2
        configuration.prepareDatabase { database in
            // Damage must show as an error, never as a function of SQLite that was overwritten.
            try database.execute(sql: "PRAGMA trusted_schema = OFF")
            guard !database.configuration.readonly else { return }
            // Only before the first table, and only without a log.
            try database.execute(sql: "PRAGMA auto_vacuum = INCREMENTAL")
            try database.execute(sql: "PRAGMA journal_size_limit = \(16 << 20)")
        }
        return configuration
    }
}
