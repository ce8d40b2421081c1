public import NetTypes
public import Policy

/// What is counted of every pair of parties, at one moment.
public struct TopSample: Hashable, Sendable {
    /// One source and one destination.
    public struct Pair: Hashable, Sendable {
        /// What its rules let through, in packets; nil where they speak of others as well.
        public var admitted: UInt64?
        /// Packets that were refused.
        public var refused: UInt64
        public var lastRefused: Timestamp?
        /// Of the last refused flow that is remembered.
        public var reason: RefusalReason?
        public var closest: Explanation?
    }

    public var at: Timestamp
    public var generation: UInt64
    public var pairs: [PartyPair: Pair]

    /// Puts together what an agent answers.
    ///
    /// - Parameters:
    ///   - matrix: Who may talk to whom, and who tried.
    ///   - rules: All of them; without them nothing is known of what passed.
    ///   - violations: The latest, in the order of time.
    public init(_ matrix: MatrixReport, rules: [RuleSummary], violations: [Violation]) {
        at = matrix.at
        generation = matrix.generation
        pairs = [:]
        let exclusive = Dictionary(grouping: rules) { $0.onlyPair(among: Set(matrix.tenants)) }
        for cell in matrix.cells {
            let pair = PartyPair(cell.source, cell.destination)
            let own = exclusive[pair] ?? []
            pairs[pair] = Pair(
                admitted: cell.rules > 0 && own.count == cell.rules
                    ? own.reduce(0) { $0 &+ $1.admitted.packets } : nil,
                refused: cell.refused.packets, lastRefused: cell.lastRefused)
        }
        for violation in violations {
            let pair = PartyPair(violation.source.inMatrix, violation.destination.inMatrix)
            pairs[pair]?.reason = violation.reason
            pairs[pair]?.closest = violation.closest
        }
    }
}

extension RuleSummary {
    /// The pair that the rule speaks of, if there is only one.
    fileprivate func onlyPair(among tenants: Set<String>) -> PartyPair? {
        guard let source = Self.onlyParty(from, tenants), let to = Self.onlyParty(to, tenants)
        else { return nil }
        return PartyPair(source, to)
    }

    private static func onlyParty(_ peers: [String], _ tenants: Set<String>) -> PartyName? {
        let parties = Set(peers.map { party($0, tenants) })
        return parties.count == 1 ? parties.first ?? nil : nil
    }

    /// Whom the words of a peer mean: a tenant, perhaps with a selector in parentheses, the host
    /// or the world; nil for networks and for tenants by their labels.
    private static func party(_ peer: String, _ tenants: Set<String>) -> PartyName? {
        let name = peer.firstRange(of: " (").map { String(peer[..<$0.lowerBound]) } ?? peer
        switch (name, tenants.contains(name)) {
        case ("host", false): return .host
        case ("world", false): return .world
        // A tenant of this name can't be told from the word.
        case ("host", true), ("world", true): return nil
        case (_, let isTenant): return isTenant ? .tenant(name) : nil
        }
    }
}

extension ViolationEnd {
    /// The row or column of the matrix in which the end stands.
    fileprivate var inMatrix: PartyName {
        if let tenant { return .tenant(tenant) }
        switch party {
        case .host: return .host
        case .world: return .world
        case .tenant, .address, nil: return .others
        }
    }
}
