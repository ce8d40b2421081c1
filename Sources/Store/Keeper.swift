internal import GRDB
internal import NetTypes
internal import Reports

/// Where rows go: the file, or memory while the file can't be used.
///
/// It is used by one thread at a time, which may wait for the disk.
struct Keeper: Sendable {
    private let options: StoreOptions
    private let log: @Sendable (String) -> Void
    private var file: HistoryFile?
    private var memory: DatabaseQueue?
    /// Why rows are kept in memory.
    private(set) var problem: StoreError?
    private(set) var lost: UInt64 = 0
    private var lastTry: Timestamp?
    private var isClosed = false
    var lastPruning: Timestamp?

    init(_ options: StoreOptions, log: @escaping @Sendable (String) -> Void) {
        self.options = options
        self.log = log
    }

    /// What questions are put to.
    var reader: (any DatabaseReader)? { file?.database ?? memory }

    /// The file, where rows may be taken away.
    var pool: DatabasePool? { file?.database }

    var bytes: Int64 { file?.bytes ?? 0 }

    var isOnDisk: Bool { file != nil }

    // MARK: Opening

    /// Tries the file where that is due, and brings it what was kept in memory; one that was closed stays so.
    mutating func openIfDue(at now: Timestamp) {
        if let lastTry, lastTry <= now, lastTry > now.before(options.retry) { return }
        guard file == nil, !isClosed else { return }
        open(at: now)
    }

    mutating func open(at now: Timestamp) {
        lastTry = now
        do throws(StoreError) {
            let file = try openOrReplace(at: now)
            try carry(to: file)
            self.file = file
            memory = nil
            if problem != nil { log("\(options.path): history is kept on the disk again") }
            problem = nil
        } catch {
            fall(to: error)
        }
    }

    /// A damaged file is set aside, and a new one takes its place.
    private func openOrReplace(at now: Timestamp) throws(StoreError) -> HistoryFile {
        do throws(StoreError) {
            return try HistoryFile(opening: options.path, patience: options.patience)
        } catch  where error.kind == .damaged {
            try setAside(error, at: now)
            return try HistoryFile(opening: options.path, patience: options.patience)
        }
    }

    private func setAside(_ damage: StoreError, at now: Timestamp) throws(StoreError) {
        do {
            let name = try HistoryFile.setAside(options.path, at: now)
            log("\(options.path) is damaged: \(damage.detail)\n  it is kept as \(name)")
        } catch {
            throw StoreError(.damaged, path: options.path, detail: "\(damage.detail); \(error)")
        }
    }

    private func carry(to file: HistoryFile) throws(StoreError) {
        guard let memory else { return }
        do {
            let batch = try memory.read { try Batch(readingAllOf: $0) }
            _ = try file.database.write { try batch.write(to: $0) }
        } catch {
            throw StoreError(error, path: options.path)
        }
    }

    // MARK: Writing

    /// Writes a batch to the file, or else to memory.
    mutating func write(_ batch: Batch, at now: Timestamp) {
        reopenIfGone(at: now)
        guard !batch.isEmpty else { return }
        if writeToFile(batch, at: now) { return }
        // A damaged file has given way to a new one: that is worth a second try.
        if file != nil, writeToFile(batch, at: now) { return }
        writeToMemory(batch)
    }

    /// Somebody may have moved the file away, or put another one in its place.
    private mutating func reopenIfGone(at now: Timestamp) {
        guard let file, !file.isInPlace else { return }
        log("\(options.path) is not the file that was opened; history goes on in a new one")
        self.file = nil
        open(at: now)
    }

    private mutating func writeToFile(_ batch: Batch, at now: Timestamp) -> Bool {
        guard let file else { return false }
        do {
            lost += try file.database.write { try batch.write(to: $0) }
            return true
        } catch {
            failed(StoreError(error, path: options.path), at: now)
            return false
        }
    }

    private mutating func writeToMemory(_ batch: Batch) {
        do {
            let memory = try self.memory ?? Self.memoryDatabase()
            self.memory = memory
            let limit = options.memoryRows
            lost += try memory.write { database in
                try batch.write(to: database) + Pruning.trim(database, to: limit)
            }
        } catch {
            lost += UInt64(batch.rows)
            log("history can't be kept in memory either: \(error)")
        }
    }

    private static func memoryDatabase() throws -> DatabaseQueue {
        let database = try DatabaseQueue()
        try Schema.migrator.migrate(database)
        return database
    }

    // MARK: Failing

    /// The file answered with an error: memory takes over, or a new file where it is damaged.
    mutating func failed(_ error: StoreError, at now: Timestamp) {
        file = nil
        if error.kind == .damaged {
            do throws(StoreError) {
                try setAside(error, at: now)
                return open(at: now)
            } catch {
                return fall(to: error)
            }
        }
        fall(to: error)
    }

    private mutating func fall(to error: StoreError) {
        if problem != error {
            log("\(error)\n  history is kept in memory until the file can be used")
        }
        problem = error
        file = nil
    }

    /// Writes what is left in memory if there is any way to, and lets go of the file.
    mutating func close(at now: Timestamp) {
        if file == nil { open(at: now) }
        do {
            try file?.database.close()
        } catch {
            log("\(options.path): \(error)")
        }
        file = nil
        isClosed = true
    }
}
