public import NetTypes

/// One `allow` entry of a policy, or one that a tenant's own settings imply.
///
/// A host may have a hundred thousand, each named by two endpoints: a rule is one reference to
/// parts that never change.
public struct Rule: Sendable {
    private let parts: Parts

    public var id: RuleID { parts.id }
    public var policy: PolicyHeader { parts.policy }
    public var from: [Peer] { parts.from }
    public var to: [Peer] { parts.to }
    public var service: Service { parts.service }
    /// Where the `allow` entry stands.
    public var place: SourcePlace { parts.place }

    public init(
        id: RuleID, policy: PolicyHeader, from: [Peer], to: [Peer], service: Service,
        place: SourcePlace
    ) {
        parts = Parts(
            id: id, policy: policy, from: from, to: to, service: service, place: place)
    }

    private final class Parts: Sendable {
        let id: RuleID
        let policy: PolicyHeader
        let from: [Peer]
        let to: [Peer]
        let service: Service
        let place: SourcePlace

        init(
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
}

extension Rule: Hashable {
    public static func == (left: Rule, right: Rule) -> Bool {
        left.parts === right.parts
            || left.id == right.id && left.place == right.place && left.policy == right.policy
                && left.from == right.from && left.to == right.to && left.service == right.service
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(id)
        hasher.combine(place)
    }
}

/// What a policy says about itself.
public struct PolicyHeader: Sendable {
    private let parts: Parts

    /// Unique among policies.
    ///
    /// Rules that a tenant's settings imply are called
    /// `tenant/NAME internal`, `tenant/NAME world` or `tenant/NAME host`.
    public var name: String { parts.name }
    public var owner: String? { parts.owner }
    public var ticket: String? { parts.ticket }
    public var summary: String? { parts.summary }
    /// Whether a tenant's settings imply the rules; a policy's own name has no slash.
    var isImplied: Bool { name.utf8.contains(UInt8(ascii: "/")) }

    public init(name: String, owner: String? = nil, ticket: String? = nil, summary: String? = nil) {
        parts = Parts(name: name, owner: owner, ticket: ticket, summary: summary)
    }

    private final class Parts: Sendable {
        let name: String
        let owner: String?
        let ticket: String?
        let summary: String?

        init(name: String, owner: String?, ticket: String?, summary: String?) {
            self.name = name
            self.owner = owner
            self.ticket = ticket
            self.summary = summary
        }
    }
}

extension PolicyHeader: Hashable {
    public static func == (left: PolicyHeader, right: PolicyHeader) -> Bool {
        left.parts === right.parts
            || left.name == right.name && left.owner == right.owner && left.ticket == right.ticket
                && left.summary == right.summary
    }

    public func hash(into hasher: inout Hasher) { hasher.combine(name) }
}
