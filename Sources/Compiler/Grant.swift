internal import NetTypes
internal import Policy

/// Peers' addresses, shared by all the grants that speak of the same peers.
final class PeerAddresses: Sendable {
    let addresses: AddressSet
    /// Equal for equal sets, in every process.
    let digest: UInt64
    /// Whose they are, for readers.
    let description: String

    init(_ addresses: AddressSet, description: String) {
        self.addresses = addresses
        self.description = description
        var digest = Digest()
        for range in addresses.v4.ranges {
            digest.combine(range.lowerBound)
            digest.combine(range.upperBound)
        }
        digest.combine(addresses.v4.ranges.count)
        for range in addresses.v6.ranges {
            digest.combine(range.lowerBound)
            digest.combine(range.upperBound)
        }
        self.digest = digest.value
    }
}

/// What the rules of a policy open at every endpoint of one of its ends: shared by them all, so
/// that a rule costs the same for one endpoint as for a thousand.
final class Opening: Sendable {
    let direction: Direction
    let peers: PeerAddresses
    let rules: [Rule]
    /// What port names mean for these peers.
    let names: [NamedPort]

    init(_ direction: Direction, peers: PeerAddresses, rules: [Rule], names: [NamedPort] = []) {
        self.direction = direction
        self.peers = peers
        self.rules = rules
        self.names = names
    }

    /// Whether two lists open the same by the same rules, wherever in the file these stand now.
    static func areAlike(_ left: [Opening], _ right: [Opening]) -> Bool {
        left.count == right.count && zip(left, right).allSatisfy { $0.isLike($1) }
    }

    /// A rule's id covers its policy's name and all that it says.
    private func isLike(_ other: Opening) -> Bool {
        direction == other.direction && peers.digest == other.peers.digest
            && names == other.names && rules.map(\.id) == other.rules.map(\.id)
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

/// What a rule opens at one endpoint in one direction, for peers whose ports resolve alike.
struct Grant {
    let rule: Rule
    let direction: Direction
    let peers: PeerAddresses
    let service: ResolvedService

    /// The earlier of two grants is credited with a flow that both admit: policies by name, then
    /// rules in the order of the file.
    func precedes(_ other: Grant) -> Bool {
        if rule.policy.name != other.rule.policy.name {
            return rule.policy.name < other.rule.policy.name
        }
        if rule.place != other.rule.place { return rule.place < other.rule.place }
        if rule.id != other.rule.id { return rule.id < other.rule.id }
        if direction != other.direction { return direction == .ingress }
        return peers.digest < other.peers.digest
    }
}

extension [Grant] {
    /// In the order of precedence.
    ///
    /// Comparing names is what would take the time. Policies are few, and their rules mostly stand
    /// in order already: so the names are compared once, and the rules with their neighbours.
    var inOrder: [Grant] {
        var numbers: [String: Int] = [:]
        var policies: [[Grant]] = []
        var last: (policy: PolicyHeader, number: Int)?
        for grant in self {
            let policy = grant.rule.policy
            var number = last?.number ?? 0
            if last?.policy != policy {
                number = numbers[policy.name] ?? policies.count
                if number == policies.count {
                    numbers[policy.name] = number
                    policies.append([])
                }
                last = (policy, number)
            }
            policies[number].append(grant)
        }
        return numbers.sorted { $0.key < $1.key }.flatMap { policies[$0.value].sortedIfNeeded }
    }

    private var sortedIfNeeded: [Grant] {
        let isSorted = zip(self, dropFirst()).allSatisfy { !$1.precedes($0) }
        return isSorted ? self : sorted { $0.precedes($1) }
    }
}
