internal import AgentCore
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
    /// The same of the host filter.
    var hostCarried: [RuleKey: RuleCount]?
    /// What endpoints counted in tables that are gone, by their names: a namespace that is made
    /// anew under its old name goes on counting.
    var endpoints: [EndpointName: EndpointTotals]?
    /// The same of the host filter, while an endpoint stands elsewhere, or its rules went.
    var hostEndpoints: [EndpointName: EndpointTotals]?
    /// What was last read of each table that is there: where a namespace goes while no agent runs,
    /// that is all there is.
    var tables: [NamespaceID: TableTotals]?
    /// Other tables with chains on hooks, as they were last known: what an agent finds at its start is
    /// drift only if it is new.
    var otherTables: [NamespaceID: [String]]?
    /// Programs of others beside the host filter, as they were last known.
    var otherPrograms: [NamespaceID: [String]]?
    /// Links of the host that stay closed although no endpoint is there any more.
    var guards: GuardRegister?
    /// What the host filter had refused at endpoints that it no longer guards.
    var hostRefused: Count?
    /// The same of frames that were nobody's attempt.
    var hostOverheard: Overheard?
    /// What of the totals of pairs is in the store's hours.
    var told: [RefusalBook.Pair: Tally]?
    /// Which link-layer address each veth had first; nil where there never was a host filter.
    var linkAddresses: LinkAddressClaims?
    /// The last entry of the journal that is in here.
    var journalEntry: UInt64?
    var book: RefusalBook

    init(since: Timestamp, violations: Int) {
        self.since = since
        book = RefusalBook(limit: violations)
    }

    /// Credits the final counters of rules that left an endpoint.
    mutating func carry(_ entry: Carried) {
        var sums = (entry.layer == .hostFilter ? hostCarried : carried) ?? [:]
        for (key, count) in entry.rules { sums[key, default: RuleCount()] += count }
        if entry.layer == .hostFilter {
            hostCarried = sums
            hostRefused = entry.refused.values.reduce(into: hostRefused ?? .zero) { $0 += $1 }
            if let more = entry.overheard { hostOverheard = (hostOverheard ?? Overheard()) + more }
        } else {
            carried = sums
        }
        guard let name = entry.endpoint else { return }
        let isOutside = entry.layer == .hostFilter
        var all = (isOutside ? hostEndpoints : endpoints) ?? [:]
        var totals = all[name] ?? EndpointTotals()
        totals.admitted += entry.rules.values.reduce(into: RuleCount()) { $0 += $1 }
        for (reason, count) in entry.refused { totals.refused[reason, default: .zero] += count }
        if let more = entry.overheard {
            totals.overheard = (totals.overheard ?? Overheard()) + more
        }
        all[name] = totals
        if isOutside { hostEndpoints = all } else { endpoints = all }
    }
}

/// An endpoint by the names that stay when its namespace is made anew.
struct EndpointName: Hashable, Codable {
    let tenant: String
    let name: String
}

/// What an endpoint counted in tables that are gone.
struct EndpointTotals: Hashable, Codable {
    var admitted = RuleCount()
    var refused: [Refusal: Count] = [:]
    /// Nil where there was no host filter.
    var overheard: Overheard?
}

/// A reading of a table, kept for the case that there is never another.
struct TableTotals: Hashable, Codable {
    let endpoint: EndpointName
    /// Without what is zero: the ledger is written once a second, and most tables refuse nothing.
    var refused: [Refusal: Count]
}

extension [Refusal: Count] {
    /// The reasons for which anything was refused.
    var occurred: Self { filter { $0.value != .zero } }
}

/// The final counters of what left the kernel: one entry of the journal.
struct Carried: Codable {
    enum Layer: String, Codable {
        case nftables
        case hostFilter
    }

    let layer: Layer
    /// Nil where the namespace was nobody's.
    let endpoint: EndpointName?
    var rules: [Ledger.RuleKey: RuleCount] = [:]
    /// Of a table that is gone as a whole; the host filter's all stand under one reason.
    var refused: [Refusal: Count] = [:]
    /// What the host filter dropped there as nobody's attempt.
    var overheard: Overheard?

    init(
        layer: Layer, endpoint: EndpointName?, _ counts: [Mark: RuleCount], of rules: RuleTable,
        refused: [Refusal: Count] = [:], overheard: Overheard? = nil
    ) {
        self.overheard = overheard
        self.layer = layer
        self.endpoint = endpoint
        self.refused = refused
        for (mark, count) in counts where count != RuleCount() {
            guard let rule = rules[mark] else { continue }
            let key = Ledger.RuleKey(rule: rule.id, direction: rule.direction)
            self.rules[key, default: RuleCount()] += count
        }
    }

    init(
        layer: Layer, endpoint: EndpointName?, rules: [Ledger.RuleKey: RuleCount],
        refused: [Refusal: Count]
    ) {
        self.layer = layer
        self.endpoint = endpoint
        self.rules = rules
        self.refused = refused
    }

    var isEmpty: Bool {
        rules.isEmpty && refused.allSatisfy { $0.value == .zero }
            && (overheard ?? Overheard()) == Overheard()
    }
}
