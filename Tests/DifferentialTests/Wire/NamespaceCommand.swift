import Foundation
import Glibc
import Linux

/// Runs shell commands inside a namespace that stays open.
struct NamespaceCommand {
    private let path: String

    init(_ namespace: borrowing NetworkNamespace) {
        path = "/proc/\(getpid())/fd/\(namespace.descriptor.rawValue)"
    }

    struct Failure: Error {
        let command: String
        let status: Int32
        let message: String
    }

    /// Gives what the command writes; throws when it fails.
    @discardableResult
    func run(_ command: String, input: String = "") throws -> String {
        let process = Process()
        let (stdin, stdout, stderr) = (Pipe(), Pipe(), Pipe())
        process.executableURL = URL(fileURLWithPath: "/usr/bin/nsenter")
        process.arguments = ["--net=\(path)", "sh", "-ec", command]
        process.standardInput = stdin
        process.standardOutput = stdout
        process.standardError = stderr
        try process.run()
        try stdin.fileHandleForWriting.write(contentsOf: Data(input.utf8))
        try stdin.fileHandleForWriting.close()
        let output = try stdout.fileHandleForReading.readToEnd() ?? Data()
        let message = try stderr.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Failure(
                command: command, status: process.terminationStatus,
                message: String(decoding: message, as: UTF8.self))
        }
        return String(decoding: output, as: UTF8.self)
    }
}
