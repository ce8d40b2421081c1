import Glibc
import Linux

/// A process whose standard streams are pipes.
///
/// Foundation's `Process` waits for ever, now and then, when several tests start some at once.
final class Child {
    private let pid: pid_t
    private let input: Pipe
    private let output: Pipe

    /// Starts a program; the library call is `posix_spawn`.
    init(_ arguments: [String]) throws(SystemError) {
        input = try Pipe()
        output = try Pipe()
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, input.readEnd, STDIN_FILENO)
        posix_spawn_file_actions_adddup2(&actions, output.writeEnd, STDOUT_FILENO)
        posix_spawn_file_actions_adddup2(&actions, output.writeEnd, STDERR_FILENO)
        var words = arguments.map { strdup($0) } + [nil]
        defer { words.forEach { free($0) } }
        var started = pid_t()
        let code = posix_spawn(&started, arguments[0], &actions, nil, &words, environ)
        guard code == 0 else { throw SystemError("posix_spawn", on: arguments[0], code: code) }
        pid = started
        input.closeReadEnd()
        output.closeWriteEnd()
    }

    /// Writes the input, reads all output, and waits for the end.
    func converse(_ text: String) throws(SystemError) -> (output: String, status: Int32) {
        try input.write(Array(text.utf8))
        input.closeWriteEnd()
        let bytes = try output.readAll()
        var status: Int32 = 0
        try check("waitpid") { waitpid(pid, &status, 0) }
        return (String(decoding: bytes, as: UTF8.self), status)
    }
}

/// A pipe of which a child takes one end.
private final class Pipe {
    private(set) var readEnd: CInt
    private(set) var writeEnd: CInt

    init() throws(SystemError) {
        var ends: [CInt] = [-1, -1]
        try check("pipe") { pipe(&ends) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        (readEnd, writeEnd) = (ends[0], ends[1])
    }

    func closeReadEnd() {
        if readEnd >= 0 { close(readEnd) }
        readEnd = -1
    }

    func closeWriteEnd() {
        if writeEnd >= 0 { close(writeEnd) }
        writeEnd = -1
    }

    func write(_ bytes: [UInt8]) throws(SystemError) {
        try check("write", on: "pipe") { Glibc.write(writeEnd, bytes, bytes.count) }
    }

    /// Reads until every writer is gone.
    func readAll() throws(SystemError) -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = try check("read", on: "pipe") { read(readEnd, &buffer, buffer.count) }
            if count == 0 { return bytes }
            bytes += buffer[..<count]
        }
    }

    deinit {
        closeReadEnd()
        closeWriteEnd()
    }
}
