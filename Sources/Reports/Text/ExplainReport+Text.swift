import NetTypes
public import Policy

extension ExplainReport: TextReport {
    /// One line for the answer, and a few for each end; the width is not kept.
    public func text(_ form: TextForm) -> String {
        let answer =
            !isJudged
            ? "not judged: neither end is a tenant's as far as the files say"
            : isAdmitted ? form.styled("admitted", .good) : form.styled("refused", .bad)
        let head = "\(source) > \(destination) \(service): ".printable + answer + "\n"
        let lines = ends.flatMap(\.lines) + notes.map { "  " + $0 }
        return head + lines.map { $0.printable + "\n" }.joined()
    }

    /// A row for each end.
    public var csv: CSV {
        var csv = CSV([
            "source", "destination", "service", "tenant", "endpoint", "direction", "admitted",
            "policy", "place", "lack", "fix",
        ])
        for end in ends {
            let rule = end.rule ?? end.refusal?.rule
            csv.append([
                source, destination, service, end.tenant, end.endpoint, end.direction.rawValue,
                end.isAdmitted ? "true" : "false", rule?.policy, rule?.place.description,
                end.refusal?.lack, end.refusal?.fix,
            ])
        }
        return csv
    }
}

extension EndExplanation {
    fileprivate var lines: [String] {
        let who = endpoint.map { "\(tenant)/\($0)" } ?? tenant
        let head = "  \(direction.rawValue) of \(who): "
        guard let refusal else {
            return [head + "admitted, " + (rule.map { "by policy \($0.text)" } ?? "it is loopback")]
        }
        return [
            head + "refused", "    \(refusal.ruleText): \(refusal.lack)", "    fix: \(refusal.fix)",
        ]
    }
}

extension Explanation {
    /// The closest rule, or that there is none.
    var ruleText: String { rule.map { "policy \($0.text)" } ?? "no rule comes near" }
}

extension RuleReference {
    /// The policy and the place, and whom to ask.
    var text: String {
        let people = [owner.map { "owner \($0)" }, ticket].compactMap(\.self)
        let aside = people.isEmpty ? "" : " (\(people.joined(separator: ", ")))"
        return "\(policy)\(aside) at \(place)"
    }
}
