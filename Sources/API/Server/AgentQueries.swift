public import Reports

/// What the API asks of an agent.
public protocol AgentQueries: Sendable {
    /// Whether a generation is in force, or the kernel is known to hold what the files say; answered
    /// at once, also while the agent still reads what all else needs.
    var isReconciled: Bool { get }

    /// What the agent is doing; answered also before anything is in force.
    func status() async -> StatusReport

    /// The tenants of the policies, with what their endpoints counted.
    func tenants() async throws -> TenantsReport

    /// The endpoints, with what they counted.
    func endpoints() async throws -> EndpointsReport

    /// The rules in force, a page of those that are asked for; nil for a cursor that isn't one.
    func rules(_ question: RulesQuestion) async throws -> RulesReport?

    /// Flows that the kernel tracks, each with the rule that admitted it.
    func flows(_ question: FlowsQuestion) async throws -> FlowsReport

    /// What passed and what was refused until now.
    func counters() async throws -> CountersReport

    /// The recorded violations that are asked for, the latest last; nil for a cursor that isn't one.
    func violations(_ question: ViolationsQuestion) async throws -> ViolationsReport?

    /// Who may talk to whom, and who tried.
    func matrix() async throws -> MatrixReport

    /// Generations, lives of agents and drift, as far as they were kept: so many of each at most.
    func history(limit: Int) async throws -> HistoryReport

    /// The recorded drift that is asked for, the latest last.
    func drift(_ question: DriftQuestion) async throws -> DriftReport

    /// Everything that is measured.
    func metrics() async throws -> MetricsReport

    /// What happens from now on; ends when the agent stops.
    func events() -> AsyncStream<AgentEvent>
}
