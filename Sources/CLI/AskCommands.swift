internal import API
internal import ArgumentParser
internal import Reports

/// How the agent is reached.
struct SocketOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The agent's Unix socket.", valueName: "path"))
    var socket = "/run/ringfence/agent.sock"
}

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show what is enforced, and what is wrong.",
        discussion: "Example: ringfence status --output json")

    @OptionGroup var socket: SocketOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        try output.show(try await ask("/v1/status", at: socket, for: StatusReport.self))
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
        try output.show(try await ask("/v1/counters", at: socket, for: CountersReport.self))
    }
}
