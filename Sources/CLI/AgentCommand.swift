internal import API
internal import Agent
internal import ArgumentParser
internal import Glibc
internal import Logging
internal import Reports
internal import ServiceLifecycle
internal import UnixSignals

struct AgentCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "agent",
        abstract: "Enforce the policies of a directory, and follow every change.",
        discussion: """
            SIGTERM ends the agent and leaves enforcement in place; SIGHUP makes it look at \
            everything again.

            Example: ringfence agent --policies /etc/ringfence/policies
            """)

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("The directory of policy files.", valueName: "directory"))
    var policies = "/etc/ringfence/policies"

    @OptionGroup var namespaces: NamespaceOptions

    @Option(
        help: ArgumentHelp(
            "The mount of the namespace that holds the host ends of the veths (default: the agent's own).",
            valueName: "path"))
    var hostNamespace: String?

    @OptionGroup var socket: SocketOptions

    @Option(help: ArgumentHelp("Where counts are kept over restarts.", valueName: "directory"))
    var state = "/var/lib/ringfence"

    @Option(
        help: "trace, debug, info, notice, warning, error or critical.",
        transform: AgentCommand.level)
    var logLevel = Logger.Level.info

    func run() async throws {
        LoggingSystem.bootstrap(StreamLogHandler.standardError)
        var logger = Logger(label: "ringfence")
        logger.logLevel = logLevel
        let agent = try Agent(
            AgentConfiguration(
                policies: policies, namespaceFolders: namespaces.folders, pids: namespaces.pid,
                hostNamespace: hostNamespace, stateDirectory: state),
            logger: logger, clock: Self.now)
        let server = APIServer(
            socketPath: socket.socket, agent: Answers(agent: agent), logger: logger)
        let group = ServiceGroup(
            configuration: .init(
                services: [
                    .init(service: agent), .init(service: server),
                    .init(service: Rescan(agent: agent)),
                ],
                gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        try await group.run()
    }

    private static func level(_ name: String) throws -> Logger.Level {
        guard let level = Logger.Level(rawValue: name) else {
            throw ValidationError("there is no log level '\(name)'")
        }
        return level
    }

    /// The time of day, to the millisecond.
    @Sendable static func now() -> Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(
            milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }
}

/// Looks at everything again at each SIGHUP.
private struct Rescan: Service {
    let agent: Agent

    func run() async throws {
        for await _ in await UnixSignalsSequence(trapping: .sighup).cancelOnGracefulShutdown() {
            await agent.rescan()
        }
    }
}

/// The agent as the API asks it.
struct Answers: AgentQueries {
    let agent: Agent

    func status() async -> StatusReport { await agent.status() }

    func counters() async throws -> CountersReport { await agent.counters() }

    func violations(since: Timestamp?) async throws -> ViolationsReport {
        await agent.violations(since: since)
    }

    func violationStream() -> AsyncStream<Violation> { agent.violationStream() }
}
