import Glibc
import Linux
import Synchronization

/// Runs shell commands inside a namespace that stays open.
struct NamespaceCommand {
    private let path: String
    /// Between the making of a pipe and its flag, another test's child would inherit it.
    private static let spawning = Mutex<Void>(())

    init(_ namespace: borrowing NetworkNamespace) {
        path = "/proc/\(getpid())/fd/\(namespace.descriptor.rawValue)"
    }

    struct Failure: Error {
        let command: String
        let status: Int32
        let output: String
    }

    /// Gives what the command writes; throws when it fails.
    ///
    /// The input must fit into a pipe.
    @discardableResult
    func run(_ command: String, input: String = "") throws -> String {
        let child = try Self.spawning.withLock { _ in
            try Child(["/usr/bin/nsenter", "--net=\(path)", "sh", "-ec", command])
        }
        let (output, status) = try child.converse(input)
        guard status == 0 else { throw Failure(command: command, status: status, output: output) }
        return output
    }
}
