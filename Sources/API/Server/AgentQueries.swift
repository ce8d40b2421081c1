public import Reports

/// What the API asks of an agent.
public protocol AgentQueries: Sendable {
    /// What the agent is doing; answered also before anything is in force.
    func status() async -> StatusReport

    /// What passed and what was refused until now.
    func counters() async throws -> CountersReport

    /// The recorded violations whose last packet is not older than that; all of them for nil.
    func violations(since: Timestamp?) async throws -> ViolationsReport

    /// Violations from now on, as they come; ends when the agent stops.
    func violationStream() -> AsyncStream<Violation>
}
