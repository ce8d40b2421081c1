/// What one end says to a flow.
public enum Verdict: Hashable, Sendable {
    /// The first rule that admits the flow.
    case admitted(Rule)
    /// The endpoint talks to itself, which no rule governs.
    case loopback
    case refused

    public var isAdmitted: Bool { self != .refused }

    /// The rule that admits the flow.
    public var rule: Rule? {
        if case .admitted(let rule) = self { rule } else { nil }
    }
}

/// What both ends say to a flow; nil where no endpoint stands.
public struct FlowVerdict: Hashable, Sendable {
    public let egress: Verdict?
    public let ingress: Verdict?

    public init(egress: Verdict?, ingress: Verdict?) {
        self.egress = egress
        self.ingress = ingress
    }

    /// Whether no endpoint on the way refuses the flow.
    public var isAdmitted: Bool { egress != .refused && ingress != .refused }
}

extension Rule {
    /// Whether a flow that both rules admit is this one's: names first, then places in the file.
    public func precedes(_ other: Rule) -> Bool {
        (policy.name, place, id) < (other.policy.name, other.place, other.id)
    }
}
