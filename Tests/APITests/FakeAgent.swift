import API
import NetTypes
import Policy
import Reports
import Synchronization

/// An agent that knows what a test told it.
final class FakeAgent: AgentQueries {
    private struct State {
        var generation: UInt64 = 17
        var recorded: [Violation] = []
        var readers: [AsyncStream<AgentEvent>.Continuation] = []
        var ended = 0
    }

    struct Broken: Error, CustomStringConvertible {
        let description = "the store is locked"
    }

    private let state = Mutex(State())
    private let isBroken: Bool

    let isReconciled: Bool

    init(
        generation: UInt64 = 17, recorded: [Violation] = [], isBroken: Bool = false,
        isReconciled: Bool = true
    ) {
        self.isBroken = isBroken
        self.isReconciled = isReconciled
        state.withLock {
            $0.generation = generation
            $0.recorded = recorded
        }
    }

    /// How many streams were asked for, and how many of them came to an end.
    var streams: (begun: Int, ended: Int) {
        state.withLock { ($0.readers.count, $0.ended) }
    }

    /// Refuses another flow.
    func emit(_ violation: Violation) {
        state.withLock { state in
            state.recorded.append(violation)
            for reader in state.readers { reader.yield(.violation(violation)) }
        }
    }

    /// Ends every stream, as an agent that stops does.
    func stop() {
        let readers = state.withLock { $0.readers }
        for reader in readers { reader.finish() }
    }

    func status() async -> StatusReport {
        StatusReport(
            agent: AgentStatus(
                version: "1.0.0", pid: 42, started: Timestamp(milliseconds: 0),
                generation: state.withLock { $0.generation }),
            policies: PolicyStatus(
                directory: "/etc/ringfence", files: 1, policies: 1, rules: 1, tenants: 1),
            endpoints: [
                EndpointStatus(
                    name: "evil\u{1b}[2J", tenant: "shop", state: .enforced,
                    addresses: [.v4(0x0a00_0001)], generation: 17)
            ])
    }

    func counters() async throws -> CountersReport {
        if isBroken { throw Broken() }
        return CountersReport(rules: [], refused: [], endpoints: [])
    }

    func tenants() async throws -> TenantsReport {
        TenantsReport(tenants: [
            TenantSummary(
                name: "shop", labels: ["env": "prod"],
                place: SourcePlace(file: "a.yaml", line: 1, column: 1), endpoints: 1,
                admitted: Tally(), refused: Tally())
        ])
    }

    func endpoints() async throws -> EndpointsReport { EndpointsReport(endpoints: []) }

    func rules(_ question: RulesQuestion) async throws -> RulesReport? {
        question.cursor == "wrong" ? nil : RulesReport(rules: [])
    }

    func flows(_ question: FlowsQuestion) async throws -> FlowsReport { FlowsReport(flows: []) }

    func violations(_ question: ViolationsQuestion) async throws -> ViolationsReport? {
        guard question.cursor != "wrong" else { return nil }
        return ViolationsReport(
            violations: state.withLock { $0.recorded.filter(question.matches) })
    }

    func matrix() async throws -> MatrixReport {
        MatrixReport(
            generation: 17, at: Timestamp(milliseconds: 0), tenants: ["shop"],
            cells: [
                MatrixCell(
                    source: .tenant("shop"), destination: .world, rules: 0,
                    refused: Tally(packets: 1, bytes: 60, flows: 1),
                    lastRefused: Timestamp(milliseconds: 0), at: Timestamp(milliseconds: 1))
            ])
    }

    func history(limit: Int) async throws -> HistoryReport {
        HistoryReport(generations: [], runs: [])
    }

    func drift(_ question: DriftQuestion) async throws -> DriftReport {
        DriftReport(drift: [DriftRecord.sample].filter(question.matches))
    }

    /// Tells of drift.
    func emit(_ record: DriftRecord) {
        for reader in state.withLock(\.readers) { reader.yield(.drift(record)) }
    }

    func metrics() async throws -> MetricsReport {
        MetricsReport(
            status: await status(),
            rules: [
                RuleTraffic(
                    rule: RuleID(rawValue: 0xfeed), policy: "shop-to-db", packets: 7, bytes: 420)
            ],
            refused: [
                RefusedPair(
                    source: .tenant("shop"), destination: .world, direction: .egress,
                    reason: .noRule, counts: Tally(packets: 3, bytes: 180, flows: 1))
            ], apply: Histogram(), savedToEnforced: Histogram())
    }

    func events() -> AsyncStream<AgentEvent> {
        let (stream, continuation) = AsyncStream.makeStream(of: AgentEvent.self)
        continuation.onTermination = { [weak self] _ in self?.state.withLock { $0.ended += 1 } }
        state.withLock { $0.readers.append(continuation) }
        return stream
    }
}

extension Violation {
    /// A refused flow to a port, so many seconds after 1970.
    static func sample(_ port: UInt16, at second: Int64 = 0) -> Violation {
        let moment = Timestamp(milliseconds: second * 1000)
        return Violation(
            first: moment, last: moment, source: ViolationEnd(address: .v4(1), tenant: "shop"),
            destination: ViolationEnd(address: .v4(2)), ipProtocol: .tcp,
            ports: .init(source: 40_000, destination: port), direction: .egress, reason: .noRule,
            packets: 1, bytes: 60, generation: 17)
    }
}

extension DriftRecord {
    /// Another table that somebody made.
    static let sample = DriftRecord(
        id: "1-1", found: Timestamp(milliseconds: 1000), tenant: "shop", endpoint: "shop-1",
        kind: .otherTable, change: "table ip evil: added", process: "nft", pid: 4711, user: 0,
        login: 1000, isRepaired: false, times: 2, last: Timestamp(milliseconds: 2000))
}
