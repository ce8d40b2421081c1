internal import Compiler
internal import Glibc
internal import NetTypes
internal import Nftables
internal import OrderedCollections
internal import Policy
public import Reports
internal import Rules

/// What a closest rule depends on; the ports of the caller don't matter.
struct ExplanationKey: Hashable {
    let endpoint: NamespaceID
    let direction: Direction
    let peer: IPAddress
    let ipProtocol: UInt8
    let port: UInt16
}

extension Agent {
    /// Everything of one violation, the closest rule as policies are now.
    func violation(_ record: RefusalBook.Record) -> Violation {
        let flow = record.key.flow
        let number = IPProtocol(rawValue: flow.ipProtocol)
        let hasPorts = number.hasPorts
        return Violation(
            first: record.first, last: record.last, source: record.attribution.source,
            destination: record.attribution.destination, ipProtocol: number,
            ports: hasPorts
                ? .init(source: flow.sourcePort, destination: flow.destinationPort) : nil,
            message: number.isICMP
                ? .init(
                    type: UInt8(flow.destinationPort >> 8),
                    code: UInt8(truncatingIfNeeded: flow.destinationPort)) : nil,
            direction: record.attribution.direction, reason: record.attribution.reason,
            packets: record.count.packets, bytes: record.count.bytes,
            closest: explanation(record), generation: record.generation)
    }

    private func explanation(_ record: RefusalBook.Record) -> Explanation? {
        guard record.attribution.reason == .noRule || record.attribution.reason == .revoked,
            let endpoint = endpoint(record.key.endpoint)
        else { return nil }
        let flow = record.key.flow
        let direction = record.attribution.direction
        let key = ExplanationKey(
            endpoint: endpoint.id, direction: direction,
            peer: direction == .egress ? flow.destination : flow.source,
            ipProtocol: flow.ipProtocol, port: flow.destinationPort)
        if let known = explanations[key] { return known }
        let found = inputs.accepted.explanation(
            for: Flow(
                source: flow.source, destination: flow.destination,
                ipProtocol: IPProtocol(rawValue: flow.ipProtocol), sourcePort: flow.sourcePort,
                destinationPort: flow.destinationPort),
            at: endpoint, direction: direction, in: compilation.topology)
        if explanations.count > 4096 { explanations = [:] }
        explanations[key] = found
        return found
    }

    public func violations(since: Timestamp?) -> ViolationsReport {
        readAllRefusals()
        let records = ledger.book.records.values.filter { record in
            since.map { record.last >= $0 } ?? true
        }
        return ViolationsReport(
            violations: records.map(violation).sorted { $0.last < $1.last },
            notRecorded: ledger.book.forgotten)
    }

    /// Each violation as it is found.
    public nonisolated func violationStream() -> AsyncStream<Violation> {
        let (stream, continuation) = AsyncStream<Violation>.makeStream(
            bufferingPolicy: .bufferingNewest(10_000))
        let number = UInt64.random(in: 0...UInt64.max)
        continuation.onTermination = { [weak self] _ in
            Task { await self?.close(stream: number) }
        }
        Task { await open(stream: number, continuation) }
        return stream
    }

    private func open(stream number: UInt64, _ continuation: AsyncStream<Violation>.Continuation) {
        streams[number] = continuation
    }

    private func close(stream number: UInt64) { streams[number] = nil }

    public func status() -> StatusReport {
        let policies = inputs.accepted
        return StatusReport(
            agent: AgentStatus(
                version: Agent.version, pid: getpid(), started: started,
                generation: ledger.generation),
            policies: PolicyStatus(
                directory: configuration.policies, files: policies.files.count,
                policies: policies.files.values.reduce(0) { $0 + $1.policyCount },
                rules: policies.files.values.reduce(0) { $0 + $1.rules.count },
                tenants: policies.tenants.count, errors: inputs.diagnostics),
            endpoints: compilation.topology.endpoints.map(status).sorted {
                ($0.tenant, $0.name) < ($1.tenant, $1.name)
            },
            unknownNamespaces: compilation.topology.unknown.compactMap { id in
                observed[id].map {
                    UnknownNamespace(name: $0.name, id: id, addresses: $0.addresses)
                }
            },
            conflicts: compilation.topology.conflicts.map { ConflictStatus($0) },
            lastApply: lastApply, lost: lost)
    }

    /// The release that this code belongs to.
    public static let version = "0.1.0"

    private func status(_ endpoint: Endpoint) -> EndpointStatus {
        let holding = holdings[endpoint.id]
        let state: EndpointStatus.State =
            if holding?.problem != nil {
                .dirty
            } else if holding?.presence != .owned {
                .unknown
            } else if compilation.errors[endpoint.id] != nil {
                .closed
            } else if endpoint.addresses != observed[endpoint.id]?.addresses {
                .conflict
            } else {
                .enforced
            }
        return EndpointStatus(
            name: endpoint.name, tenant: endpoint.tenant, state: state,
            addresses: endpoint.addresses,
            generation: holding?.presence == .owned ? holding?.generation : nil,
            lastError: holding?.problem ?? compilation.errors[endpoint.id]?.description)
    }
}

extension PolicyFile {
    fileprivate var policyCount: Int {
        documents.count { if case .policy = $0 { true } else { false } }
    }
}
