internal import NetTypes
internal import Policy

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
