internal import ArgumentParser
internal import CNI
internal import Dispatch
internal import Foundation
internal import Glibc

/// The program: `ringfence`, or the CNI plugin where it is called by that name.
///
/// One file does both, so that a plugin is never of another release than its agent.
@main
enum Program {
    static func main() {
        guard !CommandLine.arguments.isEmpty else {
            // The runtime finds them by `/proc/self/maps`; without them the command would seem to be none,
            // which shows the help and is no failure.
            FileHandle.standardError.write(
                Data(
                    """
                    ringfence: the arguments of this process can't be read
                      fix: make /proc/self/maps readable, or start it again

                    """.utf8))
            exit(EX_OSERR)
        }
        let name = CommandLine.arguments.first?.split(separator: "/").last
        if name.map(String.init) == CNIPlugin.name {
            Task { await runPlugin() }
        } else {
            runCommand()
        }
        dispatchMain()
    }

    private static func runPlugin() async {
        let outcome = await CNIPlugin().answer(
            environment: ProcessInfo.processInfo.environment, input: standardInput())
        print(outcome.output, terminator: "")
        flushOutput()
        exit(outcome.status)
    }

    /// All of it, up to what a configuration may have.
    private static func standardInput() -> [UInt8] {
        var input: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16 << 10)
        while input.count <= CNIRequest.greatestInput {
            let count = read(STDIN_FILENO, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            input += chunk.prefix(count)
        }
        return input
    }

    /// What is asynchronous runs on other threads; the rest on the main one, whose namespace is
    /// the process's.
    private static func runCommand() {
        do {
            var command = try Ringfence.parseAsRoot()
            guard var asynchronous = command as? any AsyncParsableCommand else {
                try command.run()
                Ringfence.exit()
            }
            Task {
                do {
                    try await asynchronous.run()
                    Ringfence.exit()
                } catch {
                    Ringfence.exit(withError: error)
                }
            }
        } catch {
            Ringfence.exit(withError: error)
        }
    }
}
