internal import Policy

/// Rules that went lately: a flow that is cut is told which of them had admitted it.
struct RetiredRules {
    /// A rule, and the last generation that it was in.
    struct Entry {
        let rule: Rule
        let generation: UInt64
    }

    /// The latest last.
    private var entries: [Entry] = []

    /// Each flow that is cut is held against all of them.
    private static let limit = 256

    /// Notes what a file said and says no more.
    mutating func note(_ before: PolicyFile?, _ now: PolicyFile?, last generation: UInt64) {
        guard let before else { return }
        let kept = Set((now?.rules ?? []).lazy.map(\.id))
        let gone = before.rules.filter { !kept.contains($0.id) }.suffix(Self.limit)
        entries += gone.map { Entry(rule: $0, generation: generation) }
        if entries.count > Self.limit { entries.removeFirst(entries.count - Self.limit) }
    }

    /// The rule that went last of those that a condition holds for.
    func latest(where condition: (Rule) -> Bool) -> Entry? {
        entries.last { condition($0.rule) }
    }
}
