internal import Linux

/// The file that the ledger is kept in, replaced as a whole.
struct LedgerFile {
    let file: SealedFile
    var path: String { file.path }

    init(directory: String) { file = SealedFile(path: directory + "/ledger.json") }

    /// The ledger as it was last written; nil where there is none.
    ///
    /// - Throws: `SealedFile.Damage` where it may not be believed.
    func read() throws(SealedFile.Damage) -> Ledger? { try file.decode(Ledger.self) }

    func write(_ ledger: Ledger) throws(LedgerError) {
        do throws(SystemError) {
            try file.write(ledger)
        } catch {
            throw LedgerError(path: path, reason: "\(error)")
        }
    }
}

/// Counts that could not be read or written; enforcement goes on.
struct LedgerError: Error, CustomStringConvertible {
    let path: String
    let reason: String

    var description: String { "\(path): counts can't be kept: \(reason)" }
}
