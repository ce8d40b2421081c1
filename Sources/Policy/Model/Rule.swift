public import NetTypes

/// One `allow` entry of a policy, or one that a tenant's own settings imply.
///
/// A host may have a hundred thousand, each named by two endpoints: a rule is a place in a block
/// that it shares with the other rules of its policy.
public struct Rule: Sendable {
    private let block: Block
    private let index: UInt32

    public var id: RuleID { block.ids[Int(index)] }
    public var policy: PolicyHeader { block.policy }
    public var from: [Peer] { block.from.peers }
    public var to: [Peer] { block.to.peers }
    /// `from`, with what is known of it.
    public var sources: PeerList { block.from }
    /// `to`, with what is known of it.
    public var destinations: PeerList { block.to }
    public var service: Service { block.services[Int(index)] }
    /// Where the `allow` entry stands.
    public var place: SourcePlace {
        let (line, column) = block.positions[Int(index)]
        return SourcePlace(file: block.file, line: Int(line), column: Int(column))
    }

    public init(
        id: RuleID, policy: PolicyHeader, from: [Peer], to: [Peer], service: Service,
        place: SourcePlace
    ) {
        self.init(
            id: id, policy: policy, from: PeerList(from), to: PeerList(to), service: service,
            place: place)
    }

    /// A rule that shares its peers with others.
    init(
        id: RuleID, policy: PolicyHeader, from: PeerList, to: PeerList, service: Service,
        place: SourcePlace
    ) {
        block = Block(
            policy: policy, from: from, to: to, file: place.file, ids: [id],
            services: PackedServices([service]),
            positions: [(UInt32(clamping: place.line), UInt32(clamping: place.column))])
        index = 0
    }

    private init(_ block: Block, _ index: Int) {
        self.block = block
        self.index = UInt32(clamping: index)
    }

    /// The same rules, those of one policy and the same peers in one block.
    static func packed(_ rules: [Rule]) -> [Rule] {
        guard let first = rules.first, rules.count > 1,
            rules.allSatisfy({ $0.sharesAll(with: first) })
        else { return rules }
        let positions = rules.map { $0.block.positions[Int($0.index)] }
        let block = Block(
            policy: first.policy, from: first.sources, to: first.destinations,
            file: first.block.file,
            ids: rules.map(\.id), services: PackedServices(rules.map(\.service)),
            positions: positions)
        return rules.indices.map { Rule(block, $0) }
    }

    /// The same rules under what their policy says of itself now.
    static func relabelled(_ rules: [Rule], _ policy: PolicyHeader) -> [Rule] {
        rules.map {
            Rule(
                id: $0.id, policy: policy, from: $0.sources, to: $0.destinations,
                service: $0.service, place: $0.place)
        }
    }

    /// Whether the rule is known to have the other's peers; false says nothing.
    func sharesPeers(with other: Rule) -> Bool { block === other.block }

    private func sharesAll(with other: Rule) -> Bool {
        policy == other.policy && block.file == other.block.file
            && (sources === other.sources || from == other.from)
            && (destinations === other.destinations || to == other.to)
    }

    private final class Block: Sendable {
        let policy: PolicyHeader
        let from: PeerList
        let to: PeerList
        let file: String
        let ids: [RuleID]
        let services: PackedServices
        /// Lines and columns.
        let positions: [(UInt32, UInt32)]

        init(
            policy: PolicyHeader, from: PeerList, to: PeerList, file: String, ids: [RuleID],
            services: PackedServices, positions: [(UInt32, UInt32)]
        ) {
            self.policy = policy
            self.from = from
            self.to = to
            self.file = file
            self.ids = ids
            self.services = services
            self.positions = positions
        }
    }
}

extension Rule: Hashable {
    public static func == (left: Rule, right: Rule) -> Bool {
        left.block === right.block && left.index == right.index
            || left.id == right.id && left.place == right.place && left.service == right.service
                && left.policy == right.policy && left.from == right.from && left.to == right.to
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
    /// From when on the policy opens nothing; nil where it stays.
    public var expires: Timestamp? { parts.expires }
    /// Whether that moment had come when it was last looked at.
    public var hasExpired: Bool { parts.hasExpired }
    /// Whether a tenant's settings imply the rules; a policy's own name has no slash.
    var isImplied: Bool { name.utf8.contains(UInt8(ascii: "/")) }

    public init(
        name: String, owner: String? = nil, ticket: String? = nil, summary: String? = nil,
        expires: Timestamp? = nil
    ) {
        parts = Parts(
            name: name, owner: owner, ticket: ticket, summary: summary, expires: expires,
            hasExpired: false)
    }

    private init(_ parts: Parts) { self.parts = parts }

    /// What the policy says of itself at a moment.
    func at(_ moment: Timestamp) -> PolicyHeader {
        let hasExpired = expires.map { $0 <= moment } ?? false
        guard hasExpired != self.hasExpired else { return self }
        return PolicyHeader(
            Parts(
                name: name, owner: owner, ticket: ticket, summary: summary, expires: expires,
                hasExpired: hasExpired))
    }

    private final class Parts: Sendable {
        let name: String
        let owner: String?
        let ticket: String?
        let summary: String?
        let expires: Timestamp?
        let hasExpired: Bool

        init(
            name: String, owner: String?, ticket: String?, summary: String?, expires: Timestamp?,
            hasExpired: Bool
        ) {
            self.name = name
            self.owner = owner
            self.ticket = ticket
            self.summary = summary
            self.expires = expires
            self.hasExpired = hasExpired
        }
    }
}

extension PolicyHeader: Hashable {
    public static func == (left: PolicyHeader, right: PolicyHeader) -> Bool {
        left.parts === right.parts
            || left.name == right.name && left.owner == right.owner && left.ticket == right.ticket
                && left.summary == right.summary && left.expires == right.expires
                && left.hasExpired == right.hasExpired
    }

    public func hash(into hasher: inout Hasher) { hasher.combine(name) }
}
