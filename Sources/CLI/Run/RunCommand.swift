internal import API
internal import ArgumentParser
internal import Dispatch
internal import Glibc
internal import Linux
internal import Reports
internal import Synchronization

struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Run a command in a tenant's namespace, once its rules are in force.",
        discussion: """
            Joins a namespace, or makes one, waits until the agent says that it is enforced, drops \
            privileges if asked to, and becomes the command. If the agent doesn't say so in time, \
            nothing is run.

            Without --namespace, the command gets a new namespace that ends with it, with nothing \
            but a loopback device. A namespace that is made by name stays: take it away with \
            'ip netns del'.

            Example: ringfence run shop --namespace shop-web-1 --user www-data -- /usr/sbin/server
            """)

    @Argument(help: "Whose endpoint it is.") var tenant: String

    @Option(
        help: ArgumentHelp(
            "A namespace by its name in /run/netns, or the path of its mount.", valueName: "name"))
    var namespace: String?

    @Option(
        name: .customLong("label"),
        help: ArgumentHelp(
            "A label of the endpoint; may be given several times.", valueName: "key=value"),
        transform: RunCommand.label)
    var labels: [Label] = []

    @Option(
        help: ArgumentHelp(
            "Who runs the command: a name or a number, and a group if it is another.",
            valueName: "user[:group]"))
    var user: String?

    @Option(help: ArgumentHelp("How long to wait for enforcement.", valueName: "seconds"))
    var timeout = 30

    @OptionGroup var socket: SocketOptions

    @Argument(
        parsing: .postTerminator,
        help: ArgumentHelp("The command and its arguments, behind --.", valueName: "command"))
    var command: [String] = []

    struct Label: Hashable, Sendable {
        let key: String
        let value: String
    }

    func validate() throws {
        if command.isEmpty {
            throw ValidationError("no command\n  fix: write it behind --, as in: -- /bin/sh")
        }
        guard (1...(EnforcementRequest.longestWait / 1000)).contains(timeout) else {
            throw ValidationError(
                "\(timeout) seconds are no time to wait\n  fix: write a number from 1 to "
                    + "\(EnforcementRequest.longestWait / 1000)")
        }
    }

    /// Runs on the main thread: the namespace of the process is that thread's.
    func run() throws {
        do {
            // Who doesn't exist is found out before anything is made.
            let identity = try user.map { (text) throws(SystemError) in try Identity(text) }
            let place = try CommandPlace(entering: namespace)
            do {
                try wait(for: place)
            } catch {
                place.undo()
                throw error
            }
            try identity?.assume()
            throw try Execution(command).failure()
        } catch let error as SystemError {
            complain("\(error)")
            throw ExitCode(error.operation == "execvp" ? (error.code == ENOENT ? 127 : 126) : 1)
        } catch let error as APIClientError {
            complain("\(error)\nnothing was run: the namespace is not known to be enforced")
            throw ExitCode(1)
        }
    }

    /// Waits for the agent, on this thread.
    private func wait(for place: CommandPlace) throws {
        var request = place.request
        request.tenant = tenant
        request.labels = Dictionary(labels.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 })
        request.timeoutMilliseconds = timeout * 1000
        let outcome = Outcome()
        let client = socket.client
        let question = request
        Task.detached {
            do {
                _ = try await client.enforce(question)
                outcome.set(.success(()))
            } catch {
                outcome.set(.failure(error))
            }
        }
        try outcome.wait()
    }

    private static func label(_ text: String) throws -> Label {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty else {
            throw ValidationError("'\(text)' is no label\n  fix: write it as key=value")
        }
        return Label(key: String(parts[0]), value: String(parts[1]))
    }
}

/// What comes of a task, for a thread that waits for it.
private final class Outcome: Sendable {
    private let result = Mutex<Result<Void, any Error>?>(nil)
    private let signal = DispatchSemaphore(value: 0)

    func set(_ value: Result<Void, any Error>) {
        result.withLock { $0 = value }
        signal.signal()
    }

    func wait() throws {
        signal.wait()
        try result.withLock { $0 }?.get()
    }
}
