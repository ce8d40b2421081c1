internal import GRDB
internal import NetTypes
internal import Reports

extension Keeper {
    /// Takes one step of pruning where it is due; tells whether there may be more.
    mutating func pruneIfDue(_ options: StoreOptions, at now: Timestamp) -> Bool {
        if let lastPruning, lastPruning <= now, lastPruning > now.before(options.pruning) {
            return false
        }
        guard let pool else { return false }
        do {
            let gone = try pool.write { database in
                try Pruning.step(
                    database, olderThan: now.before(options.retention.age),
                    bytes: options.retention.bytes)
            }
            lastPruning = gone == nil ? now : nil
            return gone != nil
        } catch {
            failed(StoreError(error, path: options.path), at: now)
            return false
        }
    }
}
