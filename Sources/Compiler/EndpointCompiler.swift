internal import NetTypes
internal import Policy
internal import Rules

/// Compiles the grants of one endpoint.
struct EndpointCompiler {
    private let endpoint: Endpoint
    private let grants: [Grant]
    /// The distinct sets of peers; every grant speaks of one.
    private let groups: [PeerAddresses]
    private let grantsOfGroup: [[Int]]
    private let marks: [Mark]

    init(_ endpoint: Endpoint, grants unordered: [Grant]) {
        self.endpoint = endpoint
        let grants = unordered.inOrder
        self.grants = grants
        var groups: [PeerAddresses] = []
        var members: [[Int]] = []
        var groupOfDigest: [UInt64: Int] = [:]
        for (index, grant) in grants.enumerated() {
            let group = groupOfDigest[grant.peers.digest] ?? groups.count
            if group == groups.count {
                groupOfDigest[grant.peers.digest] = group
                groups.append(grant.peers)
                members.append([])
            }
            members[group].append(index)
        }
        self.groups = groups
        grantsOfGroup = members
        marks = Self.marks(of: grants)
    }

    func state() throws(CompileError) -> EndpointState {
        let v4 = Classes.segments(of: groups.map(\.addresses.v4))
        let v6 = Classes.segments(of: groups.map(\.addresses.v6))
        let classes = ClassNumbers(v4, v6, descriptions: groups.map(\.description))
        var state = EndpointState(own: endpoint.addresses)
        state.peers4 = v4.compactMap(classes.range)
        state.peers6 = v6.compactMap(classes.range)
        var (ingress, egress): ([Admission], [Admission]) = ([], [])
        for (members, peerClass) in classes.numbers {
            let granted = members.flatMap { grantsOfGroup[$0] }.sorted()
            ingress += admissions(granted, .ingress, peerClass)
            egress += admissions(granted, .egress, peerClass)
        }
        state.ingress = ingress.sorted()
        state.egress = egress.sorted()
        state.rules = RuleTable(zip(marks, grants).map { (mark: $0, rule: $1.live) })
        try CompileError.check(state, of: endpoint)
        return state
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
