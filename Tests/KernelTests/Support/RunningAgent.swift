import Agent
import Foundation
import Glibc
import Lab
import Logging
import NetTypes
import Nftables
import Reports
import Rules
import Testing

/// An agent that runs in this process.
final class RunningAgent: Sendable {
    let agent: Agent
    private let task: Task<Void, any Error>

    init(_ rig: Rig, _ change: (inout AgentConfiguration) -> Void = { _ in }) throws {
        var configuration = AgentConfiguration(
            policies: rig.policies, namespaceFolders: [rig.lab.namespaceFolder],
            hostNamespace: rig.lab.fabricPath, stateDirectory: rig.state)
        change(&configuration)
        let agent = try Agent(configuration, logger: Self.logger, clock: Self.now)
        self.agent = agent
        task = Task { try await agent.run() }
    }

    /// Says what it does when the environment asks for it.
    private static var logger: Logger {
        let isWanted = ProcessInfo.processInfo.environment["RINGFENCE_TEST_LOG"] != nil
        var logger = Logger(label: "agent") { name -> any LogHandler in
            isWanted ? StreamLogHandler.standardError(label: name) : SwiftLogNoOpLogHandler()
        }
        logger.logLevel = .debug
        return logger
    }

    @Sendable private static func now() -> Timestamp {
        Timestamp(secondsSince1970: Date().timeIntervalSince1970)
    }

    /// Ends the agent as SIGTERM does; enforcement stays.
    func stop() async throws {
        task.cancel()
        try await task.value
    }

    /// Waits until it ends by itself, which is by an error.
    func ended() async throws { try await task.value }

    func status() async -> StatusReport { await agent.status() }

    func counters() async throws -> CountersReport { try await agent.counters() }

    func violations() async -> [Violation] {
        (try? await agent.violations(ViolationsQuestion()))??.violations ?? []
    }

    func generation() async -> UInt64 { await status().agent.generation }

    /// When a change was begun and when it was in force.
    struct Change {
        let begun: UInt64
        let inForce: UInt64
    }

    /// Makes a change and waits until the next generation is in force.
    @discardableResult
    func change(_ work: () async throws -> Void) async throws -> Change {
        let before = await generation()
        let begun = monotonicTime()
        try await work()
        try await wait(for: "generation \(before + 1)") { await generation() > before }
        return Change(begun: begun, inForce: monotonicTime())
    }

    /// Waits until every namespace of a tenant is as the policies want it.
    func settle(_ limit: Duration = .seconds(10)) async throws {
        try await wait(for: "all endpoints enforced", within: limit) {
            let endpoints = await agent.status().endpoints
            return !endpoints.isEmpty && endpoints.allSatisfy { $0.state == .enforced }
        }
    }
}

extension Rig {
    /// Starts an agent and waits for it, does the work, and stops it whatever happens.
    func withAgent(
        _ change: (inout AgentConfiguration) -> Void = { _ in },
        _ work: (RunningAgent) async throws -> Void
    ) async throws {
        try await run(change, work)
        // Its sockets close with the last of its threads, a moment after it has stopped.
        try await wait(for: "the tables to be nobody's") {
            try topology.namespaces.allSatisfy { member in
                let isThere = access(lab.namespaceFolder + "/" + member.name, F_OK) == 0
                return try !isThere || reading(of: member.name)?.owner == nil
            }
        }
    }

    /// The same, without waiting for more than that the agent is ready.
    func withUnsettledAgent(
        _ change: (inout AgentConfiguration) -> Void = { _ in },
        _ work: (RunningAgent) async throws -> Void
    ) async throws {
        try await run(change, settles: false) { agent in
            try await wait(for: "the first generation") { await agent.generation() > 0 }
            try await work(agent)
        }
    }

    private func run(
        _ change: (inout AgentConfiguration) -> Void, settles: Bool = true,
        _ work: (RunningAgent) async throws -> Void
    ) async throws {
        let agent = try RunningAgent(self, change)
        do {
            if settles { try await agent.settle() }
            try await work(agent)
        } catch {
            try await agent.stop()
            throw error
        }
        try await agent.stop()
    }
}
