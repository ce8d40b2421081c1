internal import Dispatch
internal import Foundation
internal import KernelReader
internal import Linux
internal import NetTypes
internal import Nftables
public import Policy
internal import Synchronization
public import Verifier

/// Reads what the kernel holds for every endpoint and holds it against the policies.
public struct HostAudit: Sendable {
    private let policies: PolicySet
    private let survey: HostSurvey
    private let surveyed: Duration
    private let hostFilter: HostFilterUse
    private let bpfFileSystem: String

    /// Called from any thread with how many endpoints are done, and of how many.
    public typealias Progress = @Sendable (Int, Int) -> Void

    /// - Parameters:
    ///   - policies: What is to be proven.
    ///   - survey: Where the endpoints are looked for.
    ///   - surveyed: How long the survey took.
    ///   - hostFilter: What is expected of the host filter.
    ///   - bpfFileSystem: Where it has pinned what it holds.
    public init(
        of policies: PolicySet, on survey: HostSurvey, surveyed: Duration = .zero,
        hostFilter: HostFilterUse = .auto, bpfFileSystem: String = "/sys/fs/bpf"
    ) {
        self.hostFilter = hostFilter
        self.bpfFileSystem = bpfFileSystem
        self.policies = policies
        self.survey = survey
        self.surveyed = surveyed
    }

    /// Goes through all endpoints, several at a time; no more than a few are in memory at once.
    public func run(progress: Progress = { _, _ in }) -> AuditResult {
        let clock = ContinuousClock()
        let started = Int64(Date().timeIntervalSince1970 * 1000)
        let topology = policies.topology(observed: survey.namespaces, host: survey.host)
        let begun = clock.now
        let index = PolicyIndex(policies, in: topology)
        let indexed = clock.now - begun
        let outside = HostFilterSurvey(
            index: index, survey: survey, root: bpfFileSystem, use: hostFilter
        ).audit()
        let observed = Dictionary(
            survey.namespaces.map { ($0.id, $0) }, uniquingKeysWith: { $1 })
        let work = Mutex(Work())
        let total = topology.endpoints.count
        DispatchQueue.concurrentPerform(iterations: total) { number in
            let one =
                hostFilter == .only
                ? Self.untabled(number, index, outside)
                : Self.audit(number, index, observed[topology.endpoints[number].id])
            let done = work.withLock { work in
                work.audits.append(one.audit)
                work.reading += one.reading
                work.proving += one.proving
                return work.audits.count
            }
            progress(done, total)
        }
        let wall = clock.now - begun
        return work.withLock { work in
            // Threads read and prove at the same time: what passed on the clock is shared out.
            let both = work.reading + work.proving
            let share = both > 0 ? work.proving / both : 1
            let proving = indexed.inSeconds + (wall - indexed).inSeconds * share
            return AuditResult(
                started: started,
                times: AuditTimes(
                    reading: surveyed.inSeconds + wall.inSeconds - proving, proving: proving),
                endpoints: work.audits.sorted { ($0.tenant, $0.name) < ($1.tenant, $1.name) },
                hostFilter: outside,
                unproven: survey.failures.sorted { $0.key < $1.key }.map { name, reason in
                    Unproven(
                        reason: "namespace \(name) could not be looked into: \(reason)",
                        fix: "run the audit as root, while the namespace is there")
                })
        }
    }

    private struct Work {
        var audits: [EndpointAudit] = []
        var reading = 0.0
        var proving = 0.0
    }

    private struct One {
        let audit: EndpointAudit
        let reading: Double
        let proving: Double
    }

    /// An endpoint that only the host filter stands before: it is proven as far as that is.
    private static func untabled(
        _ number: Int, _ index: PolicyIndex, _ outside: HostFilterAudit?
    ) -> One {
        let endpoint = index.topology.endpoints[number]
        var audit = EndpointAudit(
            namespace: endpoint.id, name: endpoint.name, tenant: endpoint.tenant,
            addresses: endpoint.addresses, notes: ["only the host filter is asked for"])
        if outside?.outcome != .proven {
            audit.unproven = [
                Unproven(
                    reason: "only the host filter stands before it, and that is not proven",
                    fix: "mend what is said of the host filter")
            ]
        }
        return One(audit: audit, reading: 0, proving: 0)
    }

    private static func audit(
        _ number: Int, _ index: PolicyIndex, _ observed: ObservedNamespace?
    ) -> One {
        let endpoint = index.topology.endpoints[number]
        let clock = ContinuousClock()
        let begun = clock.now
        do {
            let namespace = try HostSurvey.open(observed?.paths ?? [], observed?.pids ?? [])
            let ruleset = try RulesetReader(in: namespace).read()
            let read = clock.now
            let subject = EndpointSubject(
                index: number, addresses: observed?.addresses ?? [],
                interfaces: (observed?.interfaces ?? []).map {
                    InterfaceName(index: UInt32(bitPattern: $0.index), name: $0.name)
                }, ruleset: ruleset)
            let audit = EndpointProof(index, subject).result()
            return One(
                audit: audit, reading: (read - begun).inSeconds,
                proving: (clock.now - read).inSeconds)
        } catch {
            var audit = EndpointAudit(
                namespace: endpoint.id, name: endpoint.name, tenant: endpoint.tenant,
                addresses: endpoint.addresses)
            audit.unproven = [
                Unproven(
                    reason: "its rules could not be read: \(error)",
                    fix: "run the audit as root, while the namespace is there")
            ]
            return One(audit: audit, reading: (clock.now - begun).inSeconds, proving: 0)
        }
    }
}

extension Duration {
    fileprivate var inSeconds: Double {
        Double(components.seconds) + Double(components.attoseconds) / 1e18
    }
}
