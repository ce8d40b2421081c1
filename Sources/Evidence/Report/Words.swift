import Policy
import Verifier

// What happened, in one line each.

extension Unproven {
    var words: String { (place.map { "\($0): " } ?? "") + "\(reason) (fix: \(fix))" }
}

extension Finding {
    /// What the kernel does to which packet, and what it should do.
    var words: String {
        let asked = policy.rule.map { "\($0.policy) at \($0.place)" } ?? policy.reason
        let places = kernel.places.map(\.description).joined(separator: ", then ")
        return "\(kind.words): \(packet); policies: \(policy.passes ? "pass" : "refuse")"
            + " (\(asked)); kernel: \(kernel.passes ? "pass" : "refuse") (\(kernel.reason)"
            + (places.isEmpty ? "" : " at \(places)") + ")"
    }
}

extension Finding.Kind {
    var words: String {
        switch self {
        case .opens: "opens what is refused"
        case .closes: "refuses what is admitted"
        case .misattributes: "admits by another rule"
        case .changes: "changes packets"
        }
    }
}

extension HostFilterFinding {
    var words: String {
        let who = endpoint.map { "\($0.tenant)/\($0.endpoint): " } ?? ""
        let asked = policy.map { side in
            let rule = side.rule.map { "\($0.policy) at \($0.place)" } ?? side.reason
            return "; policies: \(side.passes ? "pass" : "refuse") (\(rule))"
        }
        return who + "\(kind.words): \(reason) at \(place)" + (packet.map { "; \($0)" } ?? "")
            + (asked ?? "")
    }
}

extension HostFilterFinding.Kind {
    var words: String {
        switch self {
        case .detached: "program is not attached"
        case .replaced: "program is replaced"
        case .foreignProgram: "another program runs before"
        case .opens: "opens what is refused"
        case .closes: "refuses what is admitted"
        case .misattributes: "admits by another rule"
        case .identity: "identity is wrong"
        }
    }
}

extension AssertionViolation {
    var words: String {
        path.isEmpty
            ? reason : "\(reason): " + path.map(\.description).joined(separator: ", then ")
    }
}

extension ProbeCell {
    var words: String {
        "\(source.tenant)/\(source.endpoint) (\(from)) -> \(destination.tenant)/"
            + "\(destination.endpoint) (\(to)) \(service): policies "
            + (isAllowed ? "admit" : "refuse") + " it; answer: \(answer.rawValue), counted at "
            + "source: \(atSource.rawValue), at destination: \(atDestination.rawValue)"
            + (remark.map { "; \($0)" } ?? "")
    }
}
