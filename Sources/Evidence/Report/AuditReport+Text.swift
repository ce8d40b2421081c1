import Policy
public import Reports
import Verifier

extension AuditReport: TextReport {
    /// What is not proven in full, and the rest in sums.
    public func text(_ form: TextForm) -> String {
        var lines: [String] = []
        for check in checks where check.outcome != .proven {
            lines.append(
                form.styled("\(check.outcome.title): \(check.title)".printable, check.style))
            lines += check.details.map { "  \($0.printable)" }
        }
        if !lines.isEmpty { lines.append("") }
        for assertion in assertions where assertion.outcome == .proven {
            let notes = assertion.answer.notes.map { " (\($0))" }.joined()
            lines.append("holds: \(assertion.answer.statement)\(notes)".printable)
        }
        let coverage = kernel.coverage
        lines.append(
            "looked at \(count(coverage.endpoints, "endpoint")), \(count(coverage.tables, "table")), "
                + "\(count(coverage.rules, "kernel rule")), \(count(coverage.elements, "element")); "
                + "followed \(count(coverage.packets, "kind")) of packets")
        if let filter = kernel.hostFilter {
            let hooks = count(filter.posts.count, "hook")
            let entries = filter.maps.values.reduce(0, +)
            lines.append(
                "looked at \(hooks) of the host filter and \(entries) entries of its maps")
        }
        if let probes {
            let arrived = probes.cells.count { $0.arrived == true }
            lines.append(
                "sent \(count(probes.cells.count, "packet")) with seed \(probes.seed): \(arrived) arrived"
            )
        }
        let unused = rules.count(where: \.isUnused)
        if unused > 0 { lines.append("\(count(unused, "rule")) never used since counting began") }
        lines.append(
            "\(checks.count { $0.outcome == .proven }) of \(count(checks.count, "check")) proven, "
                + "\(checks.count { $0.outcome == .violated }) violated, "
                + "\(checks.count { $0.outcome == .notProven }) not proven")
        return lines.map { $0 + "\n" }.joined() + form.styled(outcome.title, style(outcome)) + "\n"
    }
}

private func style(_ outcome: AuditOutcome) -> Style {
    switch outcome {
    case .proven: .good
    case .notProven: .doubtful
    case .violated: .bad
    }
}

extension Check {
    fileprivate var style: Style { Evidence.style(outcome) }
}
