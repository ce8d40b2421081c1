import NetTypes
public import Policy

extension ExplainReport: TextReport {
    /// One line for the answer, and a few for each end; the width is not kept.
    public func text(width: Int?) -> String {
        let answer = isAdmitted ? "admitted" : "refused"
        let lines = ["\(source) > \(destination) \(service): \(answer)"] + ends.flatMap(\.lines)
        return lines.map { $0.printable + "\n" }.joined()
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
