internal import NetTypes
internal import Reports
internal import Rules

/// What has to outlive the agent: counts of rules and tables that are gone, and refused flows.
struct Ledger: Codable {
    /// A rule in one direction.
    struct RuleKey: Hashable, Codable {
        let rule: RuleID
        let direction: Direction
    }

    /// Counting began here.
    var since: Timestamp
    var generation: UInt64 = 0
    /// What elements had counted when they left the kernel.
    var carried: [RuleKey: RuleCount] = [:]
    /// Refused packets whose flow was not kept, of tables that are gone.
    var unkept = Count.zero
    var book: RefusalBook

    init(since: Timestamp, violations: Int) {
        self.since = since
        book = RefusalBook(limit: violations)
    }

    /// Credits the final counters of rules that left an endpoint.
    mutating func carry(_ counts: [Mark: RuleCount], of rules: RuleTable) {
        for (mark, count) in counts where count != RuleCount() {
            guard let rule = rules[mark] else { continue }
            carried[RuleKey(rule: rule.id, direction: rule.direction), default: RuleCount()] +=
                count
        }
    }
}
