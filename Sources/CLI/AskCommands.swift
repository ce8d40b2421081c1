internal import API
internal import ArgumentParser
internal import Reports

/// How the agent is reached.
struct SocketOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The agent's Unix socket.", valueName: "path"))
    var socket = "/run/ringfence/agent.sock"

    var client: APIClient { APIClient(socketPath: socket) }
}

/// Waits for the agent's answer; an error is printed as it is, and exits with 1.
func answer<Report>(_ question: () async throws -> Report) async throws -> Report {
    do {
        return try await question()
    } catch let error as APIClientError {
        complain("\(error)")
        throw ExitCode(1)
    }
}

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show what is enforced, and what is wrong.",
        discussion: "Example: ringfence status --output json")

    @OptionGroup var socket: SocketOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        try output.show(try await answer { try await socket.client.status() })
    }
}

struct CountersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "counters",
        abstract: "Show what passed by each rule, and what was refused between tenants.",
        discussion: "Example: ringfence counters")

    @OptionGroup var socket: SocketOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        try output.show(try await answer { try await socket.client.counters() })
    }
}

struct ViolationsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "violations",
        abstract: "Show each refused flow, why, and the rule that comes closest.",
        discussion: """
            The time of the last packet is known to the second.

            Example: ringfence violations --follow
            """)

    @OptionGroup var socket: SocketOptions
    @OptionGroup var output: OutputOptions
    @Flag(name: .shortAndLong, help: "Go on with new ones as they come.") var follow = false

    @Option(
        help: ArgumentHelp(
            "Leave out what ended before, such as 2026-01-31T09:00:00.000Z.", valueName: "time"))
    var since: String?

    func run() async throws {
        let moment = since.flatMap { Timestamp($0) }
        try await answer {
            guard follow else {
                return try output.show(try await socket.client.violations(since: moment))
            }
            try await socket.client.followViolations(since: moment) { streamed in
                try show(streamed)
            }
        }
    }

    func validate() throws {
        guard let since, Timestamp(since) == nil else { return }
        throw ValidationError(
            "--since is '\(since)'; write a moment such as 2026-01-31T09:00:00.000Z")
    }

    private func show(_ streamed: StreamedViolation) throws {
        switch streamed {
        case .violation(let violation) where output.output == .table:
            print(violation.line)
        case .violation(let violation):
            print(String(decoding: try ReportJSON.line(violation), as: UTF8.self))
        case .lost(let count):
            complain("\(count) violations came faster than they could be shown")
        }
        flushOutput()
    }
}
