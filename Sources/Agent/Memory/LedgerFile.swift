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

    /// Writes a new file and renames it: a crash leaves the old one or the new one.
    func write(_ ledger: Ledger) throws(LedgerError) {
        do {
            let data = try JSONEncoder().encode(ledger)
            try FileManager.default.createDirectory(
                atPath: String(path.prefix(upTo: path.lastIndex(of: "/") ?? path.startIndex)),
                withIntermediateDirectories: true)
            let temporary = path + ".new"
            let file = try Descriptor(
                creating: temporary, mode: 0o600)
            try file.writeAll(data)
            try check("rename", on: path) { rename(temporary, path) }
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

extension Descriptor {
    fileprivate init(creating path: String, mode: mode_t) throws(SystemError) {
        let raw = try check("open", on: path) {
            open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
        }
        self.init(owning: raw)
    }

    fileprivate func writeAll(_ data: Data) throws(SystemError) {
        var rest = Array(data)[...]
        while !rest.isEmpty {
            let count = try check("write") {
                rest.withUnsafeBytes { write(rawValue, $0.baseAddress, $0.count) }
            }
            rest = rest.dropFirst(count)
        }
    }
}
