internal import GRDB
public import NetTypes

extension HistoryArchive {
    /// Takes away what is too old or too much, in many small transactions.
    ///
    /// - Parameters:
    ///   - cutoff: What ended before goes; nil if nothing is too old.
    ///   - bytes: How large the file may be; nil if it may be of any size.
    /// - Returns: How many rows went, by table.
    /// - Throws: What is wrong with the file.
    public func prune(olderThan cutoff: Timestamp?, to bytes: Int64?) throws(StoreError)
        -> [String: Int]
    {
        let queue = try open(readonly: false)
        return try run {
            var gone: [String: Int] = [:]
            while let step = try queue.write({ database in
                try Pruning.step(database, olderThan: cutoff, bytes: bytes)
            }) {
                gone.merge(step, uniquingKeysWith: +)
            }
            // The file itself shrinks when its log is written back.
            _ = try queue.writeWithoutTransaction { try $0.checkpoint(.passive) }
            return gone
        }
    }

    /// How many rows pruning would take, by table; for a size it is an estimate.
    public func prunable(olderThan cutoff: Timestamp?, to bytes: Int64?) throws(StoreError)
        -> [String: Int]
    {
        let queue = try open(readonly: true)
        return try run {
            try queue.read { database in
                try Pruning.prospect(database, olderThan: cutoff, bytes: bytes)
            }
        }
    }
}
