public import NetTypes

/// Why an endpoint refuses a flow.
public struct Explanation: Hashable, Sendable, Codable {
    /// The rule that comes nearest to admitting the flow; nil if none speaks of it.
    public let rule: RuleReference?
    /// What the rule lacks, or that there is none.
    public let lack: String
    /// What to write so that the flow is admitted.
    public let fix: String

    public init(rule: RuleReference?, lack: String, fix: String) {
        self.rule = rule
        self.lack = lack
        self.fix = fix
    }
}

/// What reports say about a rule: enough to find it, and whom to ask.
public struct RuleReference: Hashable, Sendable, Codable {
    public let id: RuleID
    /// The name of the rule's policy.
    public let policy: String
    public let owner: String?
    public let ticket: String?
    public let place: SourcePlace

    public init(id: RuleID, policy: String, owner: String?, ticket: String?, place: SourcePlace) {
        self.id = id
        self.policy = policy
        self.owner = owner
        self.ticket = ticket
        self.place = place
    }

    public init(_ rule: Rule) {
        self.init(
            id: rule.id, policy: rule.policy.name, owner: rule.policy.owner,
            ticket: rule.policy.ticket, place: rule.place)
    }
}

/// What one end says to a flow, and why.
public struct EndExplanation: Hashable, Sendable, Codable {
    public let tenant: String
    /// The endpoint's name; nil where the question was about a tenant's endpoints in general.
    public let endpoint: String?
    public let direction: Direction
    public let isAdmitted: Bool
    /// The rule that admits the flow; nil if none does or none is needed.
    public let rule: RuleReference?
    public let refusal: Explanation?

    init(
        tenant: String, endpoint: String?, direction: Direction, rule: Rule?,
        refusal: Explanation?
    ) {
        self.tenant = tenant
        self.endpoint = endpoint
        self.direction = direction
        self.isAdmitted = refusal == nil
        self.rule = rule.map { RuleReference($0) }
        self.refusal = refusal
    }
}

/// The answer to "may this one talk to that one?".
public struct ExplainReport: Hashable, Sendable, Codable {
    public let source: String
    public let destination: String
    /// Protocol, and port or message.
    public let service: String
    /// False as well where nothing was judged.
    public let isAdmitted: Bool
    /// Whether one of the ends is known to be an endpoint, so that there is something to judge.
    public let isJudged: Bool
    /// The ends that are endpoints: the source's egress, then the destination's ingress.
    public let ends: [EndExplanation]
    /// What the answer takes for granted.
    public let notes: [String]

    init(
        source: String, destination: String, service: String, ends: [EndExplanation],
        notes: [String] = [], isJudged: Bool = true
    ) {
        self.source = source
        self.destination = destination
        self.service = service
        self.ends = ends
        self.notes = notes
        self.isJudged = isJudged
        isAdmitted = isJudged && ends.allSatisfy(\.isAdmitted)
    }
}
