internal import Agent
internal import Evidence
internal import Glibc
internal import NetTypes
internal import Policy
internal import Reports
internal import Verifier

/// All that an audit has gathered, before it is a report.
struct AuditFacts {
    let policies: PolicySet
    let reading: PolicyReading
    let source: String
    let survey: Survey
    let kernel: AuditResult
    let probes: ProbeResult?
    /// Nil where no agent answers.
    let counters: CountersReport?
    let mapping: ControlMapping
    let started: Timestamp
    let history: AuditHistory

    func report(finished: Timestamp) -> AuditReport {
        let reachability = Reachability(policies, in: survey.topology)
        let files = reading.bytes.sorted { $0.key < $1.key }.map {
            PolicyDigest(file: $0.key, sha256: sha256($0.value))
        }
        let generation = history.generation(of: files)
        return AuditReport(
            machine: Self.machine, started: started, finished: finished,
            policies: PoliciesInForce(
                source: source, files: files, tenants: policies.tenants.count,
                rules: policies.ruleCount, generation: generation?.number,
                applied: generation?.applied),
            matrix: ReachMatrix(reachability, kernel: kernel),
            assertions: policies.assertions.map {
                AssertionResult(reachability.answer($0), kernel: kernel)
            },
            kernel: kernel, probes: probes, violations: history.violations, rules: rules,
            drift: history.drift, controls: mapping)
    }

    private var rules: [RuleFacts] {
        let admitted = counters.map { counters in
            Dictionary(
                counters.rules.map { ($0.rule, $0.counts) }, uniquingKeysWith: { $0 + $1 })
        }
        return policies.files.values.flatMap(\.rules)
            .sorted { ($0.place, $0.id) < ($1.place, $1.id) }
            .map { rule in RuleFacts(rule, admitted: admitted.map { $0[rule.id] ?? Tally() }) }
    }

    /// The system call is `uname`.
    private static var machine: Machine {
        var name = utsname()
        uname(&name)
        return Machine(
            host: text(of: name.nodename),
            kernel: "\(text(of: name.sysname)) \(text(of: name.release))", version: Agent.version)
    }

    private static func text(of field: some Any) -> String {
        withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}
