internal import Agent
internal import Glibc
internal import Linux
internal import Logging
internal import Reports
internal import ServiceLifecycle

/// Tells the service manager how the agent does, where there is one that wants to know.
struct Supervision: Service {
    private let agent: Agent
    private let manager: ServiceManager
    private let logger: Logger
    /// How often the manager wants a sign of life; nil where it doesn't.
    private let watchdog: Duration?

    /// How often the line is made anew that `systemctl status` shows.
    private static let interval = Duration.seconds(5)

    init(
        _ agent: Agent, _ manager: ServiceManager, environment: [String: String], logger: Logger
    ) {
        self.agent = agent
        self.manager = manager
        self.logger = logger
        let isOurs = environment["WATCHDOG_PID"].map { $0 == "\(getpid())" } ?? true
        watchdog =
            isOurs
            ? environment["WATCHDOG_USEC"].flatMap { Int64($0) }.map { .microseconds($0) } : nil
    }

    func run() async throws {
        do {
            try await cancelWhenGracefulShutdown { try await tellAll() }
        } catch is CancellationError {
            // That is how it ends.
        }
    }

    private func tellAll() async throws {
        try await waitUntilInForce()
        tell("READY=1", await status())
        // Twice in the time that the manager waits, as sd_watchdog_enabled(3) advises. The
        // question goes to the agent's own thread: a loop that hangs gives no sign of life.
        let pause = min(watchdog.map { $0 / 2 } ?? Self.interval, Self.interval)
        while true {
            try await Task.sleep(for: pause)
            let status = await status()
            if watchdog == nil { tell(status) } else { tell("WATCHDOG=1", status) }
        }
    }

    /// Waits until what differed is written; a manager that waits as well is told that there is life in the agent.
    ///
    /// Where no policy file can be read there is nothing to wait for: what stood stays in force, and whoever
    /// is to mend them has to get at the machine.
    private func waitUntilInForce() async throws {
        var told = ContinuousClock.now
        while await !agent.isInForce {
            if await agent.isWithoutPolicies { return }
            try await Task.sleep(for: .milliseconds(5))
            if ContinuousClock.now - told > Self.interval {
                told = .now
                tell("EXTEND_TIMEOUT_USEC=60000000", await status())
            }
        }
    }

    /// Has the agent read everything again, and says when: `systemctl reload` waits for the end.
    func reload(_ work: () async -> Void) async {
        tell("RELOADING=1", "MONOTONIC_USEC=\(ServiceManager.microseconds)")
        await work()
        tell("READY=1", await status())
    }

    /// The last word.
    func stopping() { tell("STOPPING=1", "STATUS=stopping; enforcement stays") }

    private func status() async -> String {
        let report = await agent.status()
        let enforced = report.endpoints.count { $0.state == .enforced }
        let wrong = report.policies.errors.count
        let mistakes = wrong == 0 ? "" : ", \(wrong) mistakes in policy files"
        return "STATUS=generation \(report.agent.generation), \(enforced) of "
            + "\(report.endpoints.count) endpoints enforced\(mistakes)"
    }

    private func tell(_ lines: String...) {
        do throws(SystemError) {
            try manager.tell(lines)
        } catch {
            logger.warning("the service manager can't be told: \(error)")
        }
    }
}

extension Supervision {
    /// What the environment says of a service manager.
    ///
    /// One that can't be reached is no reason to go on without it: it keeps the sockets that own the
    /// tables, and ends an agent that never says that it is ready.
    static func manager(
        _ environment: [String: String]
    ) throws(SystemError) -> (manager: ServiceManager, keeper: SocketKeeper)? {
        guard let path = environment["NOTIFY_SOCKET"] else { return nil }
        let manager = try persistently { () throws(SystemError) in
            try ServiceManager(notifySocket: path)
        }
        let handed = HandedDescriptors(environment: environment, pid: getpid())
        try persistently { () throws(SystemError) in try handed.closeOnExecution() }
        return (manager, SocketKeeper(manager, handed: handed))
    }
}
