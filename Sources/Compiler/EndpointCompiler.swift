internal import NetTypes
internal import Policy
internal import Rules

/// Compiles the grants of endpoints at which the same is opened.
struct EndpointCompiler {
    private let grants: [Grant]
    /// The distinct sets of peers; every grant speaks of one.
    private let groups: [PeerAddresses]
    private let grantsOfGroup: [[Int]]
    private let marks: [Mark]

    init(grants unordered: [Grant]) {
        let grants = unordered.inOrder
        self.grants = grants
        var groups: [PeerAddresses] = []
        var members: [[Int]] = []
        var groupsOfDigest: [UInt64: [Int]] = [:]
        for (index, grant) in grants.enumerated() {
            let alike = groupsOfDigest[grant.peers.digest, default: []]
            if let group = alike.first(where: { groups[$0].hasAddresses(of: grant.peers) }) {
                members[group].append(index)
            } else {
                groupsOfDigest[grant.peers.digest, default: []].append(groups.count)
                groups.append(grant.peers)
                members.append([index])
            }
        }
        self.groups = groups
        grantsOfGroup = members
        marks = Self.marks(of: grants)
    }

    /// The state, but for the endpoints' own addresses.
    ///
    /// - Parameters:
    ///   - earlier: An earlier cut, which is taken over where it is of the same peers.
    ///   - limit: How many elements a map may have.
    /// - Returns: The state, and where the addresses of peers were cut.
    /// - Throws: Where a map would have too many elements.
    func state(near earlier: Cut?, limit: Int) throws(Overflow) -> (state: EndpointState, cut: Cut)
    {
        let known = earlier.flatMap { $0.holds(for: groups, weight: weight) ? $0 : nil }
        let cut = known ?? Cut(of: groups, weight: weight)
        var state = EndpointState()
        state.peers4 = cut.peers4
        state.peers6 = cut.peers6
        state.ingress = admissions(.ingress, of: cut.parts)
        state.egress = admissions(.egress, of: cut.parts)
        state.rules = RuleTable(zip(marks, grants).map { (mark: $0, rule: $1.live) })
        try Overflow.check(state, limit)
        return (state, cut)
    }

    /// How many admissions a class has at most, about.
    private func weight(_ members: Classes.Groups) -> Int {
        members.reduce(0) { sum, group in
            grantsOfGroup[group].reduce(sum) { $0 + grants[$1].service.boxes.count }
        }
    }

    private func admissions(_ direction: Direction, of parts: [Cut.Part]) -> [Admission] {
        var known: [Classes.Groups: [Admission]] = [:]
        var result: [Admission] = []
        for part in parts {
            let first: [Admission]
            if let flat = known[part.groups] {
                first = flat
            } else {
                let granted = part.groups.flatMap { grantsOfGroup[$0] }.sorted()
                first = admissions(granted, direction, part.peerClass)
                known[part.groups] = first
            }
            result += first.map { $0.peerClass == part.peerClass ? $0 : $0.of(part.peerClass) }
        }
        return result.sorted()
    }

    private func admissions(
        _ granted: [Int], _ direction: Direction, _ peerClass: Mark
    ) -> [Admission] {
        let claims = granted.filter { grants[$0].direction == direction }
            .map { Admissions.Claim(mark: marks[$0], service: grants[$0].service) }
        return claims.isEmpty ? [] : Admissions.flatten(claims, in: peerClass)
    }

    /// A mark for each rule and direction.
    ///
    /// It is a hash of all that the rule opens here, the peers' addresses included. When a peer
    /// loses an address, or the rule a port, the mark changes, and every flow that the rule ever
    /// admitted is judged again at its next packet.
    private static func marks(of grants: [Grant]) -> [Mark] {
        var taken: Set<Mark> = []
        var marks: [Mark] = []
        marks.reserveCapacity(grants.count)
        // In the order of precedence, the grants of a rule in one direction are neighbours.
        var rest = grants[...]
        while let first = rest.first {
            let alike = rest.prefix { $0.key == first.key }
            var digest = Digest()
            for grant in alike {
                digest.combine(grant.peers.digest)
                grant.service.hash(into: &digest)
            }
            digest.combine(first.rule.id.rawValue)
            digest.combine(byte: first.direction == .ingress ? 0 : 1)
            var mark = Mark.rule(hash: digest.value)
            while !taken.insert(mark).inserted {
                digest.combine(byte: 0xff)
                mark = Mark.rule(hash: digest.value)
            }
            marks += repeatElement(mark, count: alike.count)
            rest = rest.dropFirst(alike.count)
        }
        return marks
    }
}

struct RuleDirection: Hashable {
    let id: RuleID
    let direction: Direction
}

extension Grant {
    /// The rule as the kernel's listing names it.
    var live: LiveRule {
        LiveRule(policy: rule.policy.name, id: rule.id, direction: direction)
    }

    var key: RuleDirection { RuleDirection(id: rule.id, direction: direction) }
}

extension Admission {
    /// The same for another class.
    fileprivate func of(_ other: Mark) -> Admission {
        Admission(peerClass: other, protocols: protocols, ports: ports, rule: rule)
    }
}
