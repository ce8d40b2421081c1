internal import API
internal import Agent
internal import ArgumentParser
internal import Foundation
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

    @Option(
        help: ArgumentHelp(
            "A loopback address to answer on as well, for reading only (default: none).",
            valueName: "address:port"), transform: AgentCommand.loopback)
    var listen: LoopbackAddress?

    @Option(help: ArgumentHelp("Where counts are kept over restarts.", valueName: "directory"))
    var state = "/var/lib/ringfence"

    @Option(
        help:
            "eBPF programs on the host ends of the veths: off, on, or only (no tables inside).",
        transform: AgentCommand.mode)
    var hostFilter = HostFilterMode.off

    @Option(
        help: "How these come to the veths: auto, tcx (links), or clsact (filters).",
        transform: AgentCommand.attachment)
    var hostFilterAttach = HostFilterAttachment.auto

    @Option(
        help: ArgumentHelp(
            "The bits of a packet's mark in which the host filter tells who sent it.",
            valueName: "mask"), transform: AgentCommand.mask)
    var identityMask: UInt32 = 0xffff_0000

    @Option(
        help: "trace, debug, info, notice, warning, error or critical.",
        transform: AgentCommand.level)
    var logLevel = Logger.Level.info

    func run() async throws {
        LoggingSystem.bootstrap(StreamLogHandler.standardError)
        var logger = Logger(label: "ringfence")
        logger.logLevel = logLevel
        var configuration = AgentConfiguration(
            policies: policies, namespaceFolders: namespaces.folders, pids: namespaces.pid,
            hostNamespace: hostNamespace, stateDirectory: state)
        configuration.hostFilter = hostFilter
        configuration.hostFilterAttachment = hostFilterAttach
        configuration.identityMask = identityMask
        let environment = ProcessInfo.processInfo.environment
        let manager = Supervision.manager(environment, logger: logger)
        let agent = try Agent(
            configuration, logger: logger, keeper: manager?.keeper, clock: Self.now)
        let supervision = manager.map {
            Supervision(agent, $0.manager, environment: environment, logger: logger)
        }
        let answers = Answers(agent: agent)
        var services: [any Service] = [
            agent,
            APIServer(socketPath: socket.socket, agent: answers, registry: answers, logger: logger),
        ]
        if let listen {
            services.append(LoopbackServer(address: listen, agent: answers, logger: logger))
        }
        services.append(Rescan(agent: agent, supervision: supervision))
        if let supervision { services.append(supervision) }
        let group = ServiceGroup(
            configuration: .init(
                services: services.map { .init(service: $0) },
                gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        try await group.run()
    }

    private static func mode(_ name: String) throws -> HostFilterMode {
        guard let mode = HostFilterMode(rawValue: name) else {
            throw ValidationError("'\(name)' is none of off, on and only")
        }
        return mode
    }

    private static func attachment(_ name: String) throws -> HostFilterAttachment {
        guard let attachment = HostFilterAttachment(rawValue: name) else {
            throw ValidationError("'\(name)' is none of auto, tcx and clsact")
        }
        return attachment
    }

    private static func loopback(_ text: String) throws -> LoopbackAddress {
        guard let address = LoopbackAddress(parsing: text) else {
            throw ValidationError(
                "'\(text)' is no port of the loopback interface\n"
                    + "  fix: write 127.0.0.1:9464 or [::1]:9464")
        }
        return address
    }

    private static func level(_ name: String) throws -> Logger.Level {
        guard let level = Logger.Level(rawValue: name) else {
            throw ValidationError("there is no log level '\(name)'")
        }
        return level
    }

    /// A run of bits, wide enough for some endpoints.
    private static func mask(_ text: String) throws -> UInt32 {
        let digits = text.hasPrefix("0x") ? String(text.dropFirst(2)) : text
        guard let mask = UInt32(digits, radix: 16), mask.nonzeroBitCount >= 8,
            (mask >> UInt32(mask.trailingZeroBitCount)) &+ 1
                & (mask >> UInt32(mask.trailingZeroBitCount)) == 0
        else {
            throw ValidationError(
                "'\(text)' is no mask\n  fix: give one run of at least 8 bits in hexadecimal, such as 0xffff0000"
            )
        }
        return mask
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
    let supervision: Supervision?

    func run() async throws {
        for await _ in await UnixSignalsSequence(trapping: .sighup).cancelOnGracefulShutdown() {
            if let supervision {
                await supervision.reload { await agent.rescan() }
            } else {
                await agent.rescan()
            }
        }
        supervision?.stopping()
    }
}

/// The agent as the API asks it.
struct Answers: AgentQueries, EndpointRegistry {
    let agent: Agent

    func status() async -> StatusReport { await agent.status() }

    func counters() async throws -> CountersReport { await agent.counters() }

    func tenants() async throws -> TenantsReport { await agent.tenants() }

    func endpoints() async throws -> EndpointsReport { await agent.endpoints() }

    func rules(_ question: RulesQuestion) async throws -> RulesReport? {
        await agent.rules(question)
    }

    func flows(_ question: FlowsQuestion) async throws -> FlowsReport {
        await agent.flows(question)
    }

    func violations(_ question: ViolationsQuestion) async throws -> ViolationsReport? {
        try await agent.violations(question)
    }

    func matrix() async throws -> MatrixReport { await agent.matrix() }

    func history(limit: Int) async throws -> HistoryReport {
        try await agent.history(limit: limit)
    }

    func metrics() async throws -> MetricsReport { await agent.metrics() }

    func events() -> AsyncStream<AgentEvent> { agent.events() }

    func enforce(_ request: EnforcementRequest) async throws -> EnforcedEndpoint {
        try await agent.enforce(request)
    }

    func forget(_ request: EnforcementRequest) async throws { try await agent.forget(request) }
}
