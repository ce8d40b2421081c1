internal import NetTypes
internal import Policy

/// What the rules of a policy open at every endpoint of one of its ends: shared by them all, so
/// that a rule costs the same for one endpoint as for a thousand.
final class Opening: Sendable {
    let direction: Direction
    let peers: PeerAddresses
    let rules: [Rule]
    /// What port names mean for these peers.
    let names: [NamedPort]
    /// Equal for openings that are alike.
    let digest: UInt64

    init(_ direction: Direction, peers: PeerAddresses, rules: [Rule], names: [NamedPort] = []) {
        self.direction = direction
        self.peers = peers
        self.rules = rules
        self.names = names
        var digest = Digest()
        digest.combine(byte: direction == .ingress ? 0 : 1)
        digest.combine(peers.digest)
        for rule in rules { digest.combine(rule.id.rawValue) }
        self.digest = digest.value
    }

    /// Whether two lists open the same by the same rules, wherever in the file these stand now.
    static func areAlike(_ left: [Opening], _ right: [Opening]) -> Bool {
        left.count == right.count && zip(left, right).allSatisfy { $0.isLike($1) }
    }

    /// A rule's id covers its policy's name and all that it says.
    func isLike(_ other: Opening) -> Bool {
        self === other
            || digest == other.digest && direction == other.direction && names == other.names
                && peers.hasAddresses(of: other.peers)
                && peers.description == other.peers.description
                && rules.elementsEqual(other.rules) { $0.id == $1.id }
    }

    /// A grant for each rule that opens anything.
    var grants: [Grant] {
        rules.compactMap { rule in
            let service = ResolvedService(rule.service, names: names)
            if service.boxes.isEmpty { return nil }
            return Grant(rule: rule, direction: direction, peers: peers, service: service)
        }
    }
}

/// All that is opened at an endpoint, in no particular order: endpoints with equal ones have one state.
struct OpeningList: Hashable, Sendable {
    /// In the order of their digests.
    let openings: [Opening]

    init(_ unordered: [Opening]) { openings = unordered.sorted { $0.digest < $1.digest } }

    /// Openings of one digest stand in any order, and lists are then taken for different: that costs a
    /// compilation and nothing else.
    static func == (left: OpeningList, right: OpeningList) -> Bool {
        Opening.areAlike(left.openings, right.openings)
    }

    func hash(into hasher: inout Hasher) {
        for opening in openings { hasher.combine(opening.digest) }
    }
}
