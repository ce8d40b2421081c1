private import Glibc
private import NetTypes

extension PolicyDirectory.File {
    /// Reads a file whole, and never waits for what is no file.
    ///
    /// The system calls are `stat`, `open`, `fstat` and `read`.
    init(reading path: String, limit: Int) throws(PolicyDirectory.Problem) {
        for _ in 0..<4 {
            if let file = try Self.attempt(path, limit: limit) {
                self = file
                return
            }
        }
        throw .changing
    }

    /// One reading; nil when the file changed meanwhile.
    private static func attempt(
        _ path: String, limit: Int
    ) throws(PolicyDirectory.Problem) -> Self? {
        // Opening a device may act, and opening a pipe wakes its other end: look first. The flag
        // is for a pipe that comes between.
        guard try orProblem(try FileStatus(at: path)).kind == .regular else { throw .notAFile }
        let flags = O_RDONLY | O_NONBLOCK | O_NOCTTY
        let descriptor = try orProblem(try Descriptor(opening: path, flags: flags))
        let before = try orProblem(try FileStatus(of: descriptor))
        guard before.kind == .regular else { throw .notAFile }
        try before.requireTrust()
        guard before.signature.size <= limit else { throw .tooLarge(limit: limit) }
        let bytes = try orProblem(try contents(of: descriptor, path, limit: limit))
        guard bytes.count <= limit else { throw .tooLarge(limit: limit) }
        let after = try orProblem(try FileStatus(of: descriptor))
        guard before.signature == after.signature else { return nil }
        var digest = Digest()
        for byte in bytes { digest.combine(byte: byte) }
        return Self(
            bytes: bytes, digest: digest.value, signature: after.signature,
            isSettled: after.signature.isSettled)
    }

    /// Up to one byte more than the limit.
    private static func contents(
        of descriptor: borrowing Descriptor, _ path: String, limit: Int
    ) throws(SystemError) -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while bytes.count <= limit {
            let count = try check("read", on: path) {
                read(descriptor.rawValue, &chunk, min(chunk.count, limit + 1 - bytes.count))
            }
            if count == 0 { break }
            bytes += chunk.prefix(count)
        }
        return bytes
    }
}

extension FileSignature {
    /// Whether the clock that stamps files has moved on since the last change, so that another
    /// change would get another stamp.
    fileprivate var isSettled: Bool {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let nanoseconds = Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
        return nanoseconds - changed > 20_000_000
    }
}

private func orProblem<Value: ~Copyable>(
    _ body: @autoclosure () throws(SystemError) -> Value
) throws(PolicyDirectory.Problem) -> Value {
    do throws(SystemError) {
        return try body()
    } catch {
        throw .system(error)
    }
}
