import NetTypes
public import Policy
public import Verifier

/// One question of an audit with its outcome, small enough for a line of a checklist.
public struct Check: Hashable, Sendable, Codable {
    public enum Kind: String, Hashable, Sendable, Codable, CaseIterable {
        /// Does an endpoint do what the policies say, for every packet?
        case endpoint
        /// Do the programs at the host ends of the veths?
        case hostFilter
        /// Is the machine as a whole understood: no address claimed twice, every namespace read?
        case machine
        /// Does an assertion hold?
        case assertion
        /// Did real packets do what the policies say?
        case probes
    }

    /// Unique within a report, and the same from audit to audit: `endpoint/shop/shop-web`.
    public var id: String
    public var kind: Kind
    public var title: String
    public var outcome: AuditOutcome
    /// What is wrong or not known, each in a line; empty where it is proven.
    public var details: [String]
    /// Where in the policy files it was asked for, or what they say about it.
    public var places: [SourcePlace]
    public var owner: String?
    /// What it is evidence for, each as `CATALOG/CONTROL`.
    public var controls: [String]

    public init(
        id: String, kind: Kind, title: String, outcome: AuditOutcome, details: [String] = [],
        places: [SourcePlace] = [], owner: String? = nil, controls: [String] = []
    ) {
        self.id = id
        self.kind = kind
        self.title = title
        self.outcome = outcome
        self.details = details
        self.places = places
        self.owner = owner
        self.controls = controls
    }
}

extension Check {
    /// Every check of an audit: the machine, endpoints, the host filter, assertions, probes.
    static func all(
        kernel: AuditResult, assertions: [AssertionResult], probes: ProbeResult?,
        mapping: ControlMapping
    ) -> [Check] {
        var checks = [machine(kernel)] + kernel.endpoints.map(Check.endpoint)
        if let filter = kernel.hostFilter { checks.append(hostFilter(filter)) }
        checks += assertions.map(Check.assertion)
        if let probes { checks.append(Check.probes(probes)) }
        return checks.map { check in
            var check = check
            let mapped = mapping.controls(for: check.kind)
            check.controls = check.controls + mapped.filter { !check.controls.contains($0) }
            return check
        }
    }

    private static func machine(_ kernel: AuditResult) -> Check {
        Check(
            id: "machine", kind: .machine,
            title: "Every namespace was read, and no address or namespace is claimed twice",
            outcome: kernel.unproven.isEmpty ? .proven : .notProven,
            details: kernel.unproven.map(\.words))
    }

    private static func endpoint(_ endpoint: EndpointAudit) -> Check {
        Check(
            id: "endpoint/\(endpoint.tenant)/\(endpoint.name)", kind: .endpoint,
            title:
                "\(endpoint.tenant)/\(endpoint.name) does what the policies say, for every packet",
            outcome: endpoint.outcome,
            details: endpoint.findings.map(\.words) + endpoint.unproven.map(\.words),
            places: endpoint.findings.compactMap { $0.policy.rule?.place }.unique)
    }

    private static func hostFilter(_ filter: HostFilterAudit) -> Check {
        Check(
            id: "host-filter", kind: .hostFilter,
            title: "The programs at the host ends of the veths do what the policies say",
            outcome: filter.outcome,
            details: filter.findings.map(\.words) + filter.unproven.map(\.words),
            places: filter.findings.compactMap { $0.policy?.rule?.place }.unique)
    }

    private static func assertion(_ result: AssertionResult) -> Check {
        let answer = result.answer
        let more = answer.violationCount - answer.violations.count
        let violations =
            answer.violations.map(\.words) + (more > 0 ? ["and \(more) more"] : [])
        return Check(
            id: "assertion/\(answer.assertion.name)", kind: .assertion, title: answer.statement,
            outcome: result.outcome,
            details: result.outcome == .notProven ? result.doubts : violations,
            places: [answer.assertion.place]
                + answer.violations.flatMap(\.path).flatMap { [$0.egress, $0.ingress] }
                .compactMap { $0?.place }.unique,
            owner: answer.assertion.owner, controls: answer.assertion.controls)
    }

    private static func probes(_ probes: ProbeResult) -> Check {
        let wrong = probes.cells.filter { $0.outcome != .proven }
        return Check(
            id: "probes", kind: .probes,
            title: "Real packets arrive where the policies admit them, and nowhere else",
            outcome: probes.outcome, details: wrong.map(\.words))
    }
}

extension Sequence where Element: Hashable {
    /// Each element once, where it comes first.
    var unique: [Element] {
        var seen: Set<Element> = []
        return filter { seen.insert($0).inserted }
    }
}
