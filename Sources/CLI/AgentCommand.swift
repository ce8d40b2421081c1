internal import API
internal import Agent
internal import ArgumentParser
internal import Foundation
internal import Glibc
internal import Logging
internal import NetTypes
internal import Reports
internal import ServiceLifecycle
internal import Settings
internal import Sinks
internal import UnixSignals

struct AgentCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "agent",
        abstract: "Enforce the policies of a directory, and follow every change.",
        discussion: """
            SIGTERM ends the agent and leaves enforcement in place; SIGHUP makes it look at \
            everything again, and open the files anew that it writes events to.

            What an option leaves out, a variable RINGFENCE_... says, then the configuration \
            file; 'ringfence print-config' shows what counts, and who says so.

            Example: ringfence agent --policies /etc/ringfence/policies
            """)

    @OptionGroup var options: AgentOptions

    func run() async throws {
        LoggingSystem.bootstrap(StreamLogHandler.standardError)
        var logger = Logger(label: "ringfence")
        let environment = ProcessInfo.processInfo.environment
        let (settings, warnings) = try options.settings(environment)
        logger.logLevel = settings.logLevel
        for warning in warnings { logger.warning("\(warning)") }
        let sinks = try SinkSet(settings.sinks)
        let manager = try Supervision.manager(environment)
        let agent = try Agent(
            settings.configuration, logger: logger, keeper: manager?.keeper,
            observer: settings.sinks.isEmpty
                ? nil
                : AgentObserver(
                    sinks: { sinks.status }, tell: { sinks.tell($0, at: Self.now()) }),
            clock: Self.now)
        let supervision = manager.map {
            Supervision(agent, $0.manager, environment: environment, logger: logger)
        }
        let answers = Answers(agent: agent)
        var services: [any Service] = [
            agent,
            APIServer(
                socketPath: settings.socket, agent: answers, registry: answers, logger: logger),
        ]
        if let listen = settings.listen {
            services.append(LoopbackServer(address: listen, agent: answers, logger: logger))
        }
        services.append(Rescan(agent: agent, sinks: sinks, supervision: supervision))
        if let supervision { services.append(supervision) }
        let group = ServiceGroup(
            configuration: .init(
                services: services.map { .init(service: $0) },
                gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        defer { sinks.finish() }
        try await group.run()
    }

    /// The time of day, to the millisecond.
    @Sendable static func now() -> Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(
            milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }
}

/// Looks at everything again at each SIGHUP, and lets go of files that somebody rotated.
private struct Rescan: Service {
    let agent: Agent
    let sinks: SinkSet
    let supervision: Supervision?

    func run() async throws {
        for await _ in await UnixSignalsSequence(trapping: .sighup).cancelOnGracefulShutdown() {
            sinks.reopen()
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

    var isReconciled: Bool { agent.isReconciled }

    func status() async -> StatusReport { await agent.status() }

    func counters() async throws -> CountersReport { try await agent.counters() }

    func tenants() async throws -> TenantsReport { try await agent.tenants() }

    func endpoints() async throws -> EndpointsReport { try await agent.endpoints() }

    func rules(_ question: RulesQuestion) async throws -> RulesReport? {
        try await agent.rules(question)
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

    func drift(_ question: DriftQuestion) async throws -> DriftReport {
        try await agent.drift(question)
    }

    func metrics() async throws -> MetricsReport { try await agent.metrics() }

    func events() -> AsyncStream<AgentEvent> { agent.events() }

    func enforce(_ request: EnforcementRequest) async throws -> EnforcedEndpoint {
        try await agent.enforce(request)
    }

    func forget(_ request: EnforcementRequest) async throws { try await agent.forget(request) }

    func release(_ request: LinkReleaseRequest) async throws { try await agent.release(request) }

    func confirmEmptyDirectory() async throws { try await agent.confirmEmptyDirectory() }
}
