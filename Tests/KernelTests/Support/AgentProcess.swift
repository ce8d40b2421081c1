import Foundation
import Glibc
import Lab
import Linux
import Rules
import Synchronization
import Testing

/// The agent as a process of its own, which can be killed.
final class AgentProcess: Sendable {
    private let rig: Rig
    private let pid: pid_t
    private let isGone = Mutex(false)

    /// Starts it, with further options, perhaps by another program that becomes the agent.
    init(_ rig: Rig, _ options: [String] = [], under wrapper: [String] = []) throws {
        self.rig = rig
        pid = try Command.spawn(
            wrapper + [
                try Self.executable(), "agent", "--policies", rig.policies, "--namespaces",
                rig.lab.namespaceFolder, "--host-namespace", rig.lab.fabricPath, "--state",
                rig.state, "--socket", rig.folder + "/socket",
            ] + options, output: rig.folder + "/agent.log")
    }

    /// Built beside the tests.
    static func executable() throws -> String {
        let tests = try #require(CommandLine.arguments.first)
        let folder = URL(fileURLWithPath: tests).deletingLastPathComponent().path
        let path = folder + "/ringfence"
        try #require(access(path, X_OK) == 0, "\(path) is not there: build the package first")
        return path
    }

    /// Whether the namespaces have tables with rules in them.
    func enforces(_ names: String...) throws -> Bool {
        try names.allSatisfy { try rig.reading(of: $0)?.state.rules.isEmpty == false }
    }

    /// Ends it without a word, and waits until it is gone.
    func kill() throws {
        try isGone.withLock { isGone in
            if isGone { return }
            try check("kill") { Glibc.kill(pid, SIGKILL) }
            var status: CInt = 0
            try check("waitpid") { waitpid(pid, &status, 0) }
            isGone = true
        }
    }

    /// Whether it has not ended by itself.
    var isRunning: Bool {
        isGone.withLock { isGone in
            var status: CInt = 0
            if !isGone, waitpid(pid, &status, WNOHANG) == pid { isGone = true }
            return !isGone
        }
    }

    deinit { try? kill() }
}
