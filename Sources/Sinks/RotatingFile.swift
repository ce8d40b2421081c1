internal import Glibc
internal import Linux

/// JSON lines in a file that is put aside before it grows too large.
final class RotatingFile: SinkWriter {
    private let path: String
    private let maxBytes: Int
    private let keep: Int
    private var descriptor: Descriptor?
    /// Of the file that is open.
    private var size = 0

    /// - Parameters:
    ///   - path: The file; what was put aside last is `PATH.1`.
    ///   - maxBytes: What a file may hold at most, a single larger record aside.
    ///   - keep: How many files that were put aside are kept.
    init(_ path: String, maxBytes: Int, keep: Int) {
        self.path = path
        self.maxBytes = maxBytes
        self.keep = keep
    }

    func write(_ record: SinkRecord, line: [UInt8]) throws(SystemError) {
        let bytes = line + [UInt8(ascii: "\n")]
        var file = try opened()
        if size > 0, size + bytes.count > maxBytes {
            try rotate(file)
            file = try opened()
        }
        do throws(SystemError) {
            try writeAll(bytes, to: file, path)
        } catch {
            // A full disk must not leave half a line.
            ftruncate(file, size)
            throw error
        }
        size += bytes.count
    }

    func close() { descriptor = nil }

    private func opened() throws(SystemError) -> CInt {
        if let open = descriptor?.rawValue { return open }
        // What isn't a file yet may be a pipe that nobody reads: opening it would wait.
        let flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK
        let opened = Descriptor(
            owning: try check("open", on: path) { open(path, flags, 0o600) })
        var status = stat()
        try check("fstat", on: path) { fstat(opened.rawValue, &status) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw SystemError("open (no regular file)", on: path, code: EINVAL)
        }
        size = Int(status.st_size)
        let raw = opened.rawValue
        descriptor = consume opened
        return raw
    }

    private func rotate(_ file: CInt) throws(SystemError) {
        guard keep > 0 else {
            try check("ftruncate", on: path) { ftruncate(file, 0) }
            size = 0
            return
        }
        for number in stride(from: keep - 1, through: 1, by: -1) {
            try move("\(path).\(number)", to: "\(path).\(number + 1)")
        }
        try move(path, to: "\(path).1")
        close()
    }

    private func move(_ old: String, to new: String) throws(SystemError) {
        do throws(SystemError) {
            try check("rename", on: old) { rename(old, new) }
        } catch  where error.code == ENOENT {}
    }
}
