public import NetTypes

/// One `allow` entry of a policy, or one that a tenant's own settings imply.
public struct Rule: Hashable, Sendable {
    public let id: RuleID
    public let policy: PolicyHeader
    public let from: [Peer]
    public let to: [Peer]
    public let service: Service
    /// Where the `allow` entry stands.
    public let place: SourcePlace

    public init(
        id: RuleID, policy: PolicyHeader, from: [Peer], to: [Peer], service: Service,
        place: SourcePlace
    ) {
        self.id = id
        self.policy = policy
        self.from = from
        self.to = to
        self.service = service
        self.place = place
    }
}

/// What a policy says about itself.
public struct PolicyHeader: Hashable, Sendable {
    /// Unique among policies.
    ///
    /// Rules that a tenant's settings imply are called
    /// `tenant/NAME internal`, `tenant/NAME world` or `tenant/NAME host`.
    public let name: String
    public let owner: String?
    public let ticket: String?
    public let summary: String?

    public init(name: String, owner: String? = nil, ticket: String? = nil, summary: String? = nil) {
        self.name = name
        self.owner = owner
        self.ticket = ticket
        self.summary = summary
    }
}
