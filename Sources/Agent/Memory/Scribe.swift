internal import Dispatch
internal import Linux
internal import Synchronization

/// Writes to the state directory, away from the event loop: a disk may take its time.
///
/// Writes happen one after the other. A ledger that waits to be written gives way to a newer one.
final class Scribe: Sendable {
    private let queue = DispatchQueue(label: "ringfence.state")
    private let waiting = Mutex<Ledger?>(nil)
    private let ledgerFile: LedgerFile
    private let acceptedFiles: AcceptedFiles
    private let checkpointFile: CheckpointFile

    init(ledgerFile: LedgerFile, acceptedFiles: AcceptedFiles, checkpointFile: CheckpointFile) {
        self.ledgerFile = ledgerFile
        self.acceptedFiles = acceptedFiles
        self.checkpointFile = checkpointFile
    }

    /// Writes what a later agent may compare; says what went wrong, if anything did.
    func write(_ checkpoint: Checkpoint, failed: @escaping @Sendable (SystemError) -> Void) {
        queue.async { [self] in
            do throws(SystemError) {
                try checkpointFile.write(checkpoint)
            } catch {
                failed(error)
            }
        }
    }

    /// Writes the ledger, and says how it went on a thread of its own: which entry of the journal
    /// is in what was written, or why nothing was.
    func write(
        _ ledger: Ledger, then: @escaping @Sendable (Result<UInt64, LedgerError>) -> Void
    ) {
        let isUnderWay = waiting.withLock { waiting in
            defer { waiting = ledger }
            return waiting != nil
        }
        guard !isUnderWay else { return }
        queue.async { [self] in
            let newest = waiting.withLock { waiting in
                defer { waiting = nil }
                return waiting
            }
            guard let newest else { return }
            do throws(LedgerError) {
                try ledgerFile.write(newest)
                then(.success(newest.journalEntry ?? 0))
            } catch {
                then(.failure(error))
            }
        }
    }

    /// Keeps accepted policy files; says what went wrong, if anything did.
    func keep(_ files: [String: [UInt8]?], failed: @escaping @Sendable (SystemError) -> Void) {
        queue.async { [self] in
            do throws(SystemError) {
                try acceptedFiles.keep(files)
            } catch {
                failed(error)
            }
        }
    }

    /// Returns when everything is written.
    func finish() { queue.sync {} }
}
