internal import FoundationEssentials
internal import Glibc
internal import Linux

/// The file that the ledger is kept in, replaced as a whole.
struct LedgerFile {
    let path: String

    init(directory: String) { path = directory + "/ledger.json" }

    /// The ledger as it was last written; nil where there is none.
    func read() throws(LedgerError) -> Ledger? {
        guard let data = FileManager.default.contents(atPath: path) else { return nil }
        do {
            return try JSONDecoder().decode(Ledger.self, from: data)
        } catch {
            throw LedgerError(path: path, reason: "\(error)")
        }
    }

    /// Puts a damaged file aside, so that nothing of it is lost.
    func setAside() { _ = rename(path, path + ".damaged") }

    func write(_ ledger: Ledger) throws(LedgerError) {
        do {
            try replaceFile(at: path, with: Array(JSONEncoder().encode(ledger)))
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
