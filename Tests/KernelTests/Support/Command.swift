import Foundation
import Glibc
import Linux

/// A command of the machine, run to its end.
struct Command: Sendable {
    let status: Int32
    let output: String

    /// Runs it; its output and its complaints come together.
    init(_ words: [String]) async throws {
        self = try await onThread { try Command(running: words) }
    }

    private init(running words: [String]) throws {
        let path = "\(NSTemporaryDirectory())/ringfence-output-\(UUID().uuidString)"
        defer { unlink(path) }
        let pid = try Command.spawn(words, output: path)
        var status: CInt = -1
        try check("waitpid") { waitpid(pid, &status, 0) }
        self.status = status
        output = try String(contentsOfFile: path, encoding: .utf8)
    }

    /// Starts a command that the caller waits for.
    static func spawn(_ words: [String], output: String) throws(SystemError) -> pid_t {
        var arguments = words.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(
            &actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        var pid = pid_t()
        let code = posix_spawnp(&pid, words[0], &actions, nil, &arguments, environ)
        guard code == 0 else { throw SystemError("posix_spawn", on: words[0], code: code) }
        return pid
    }
}
