/// Where events about links and namespaces come from.
public enum EventSource: Hashable, Sendable {
    /// The namespaces of a tenant.
    case tenant(String)
    /// Namespaces that are no tenant's.
    case unclaimed
    /// The folders in which namespaces are mounted.
    case folders

    /// A tenant's own root can change links and addresses at any rate, and gets a small share of the loop for all its
    /// namespaces together; namespaces are made by the host's root or its runtime, and each of them is enforced.
    fileprivate var budget: RateBudget {
        switch self {
        case .tenant, .unclaimed: RateBudget(factor: 8, least: .zero)
        case .folders: RateBudget(factor: 4, least: .zero)
        }
    }
}

/// Keeps the events of one source from holding up what others wait for.
public struct SourceThrottle: Sendable {
    private var budgets: [EventSource: RateBudget] = [:]

    /// Every source may be handled at once.
    public init() {}

    /// How long the events of a source have to wait; nil where they may be handled now.
    public func pause(
        of source: EventSource, at now: ContinuousClock.Instant
    ) -> ContinuousClock.Instant? {
        guard let end = budgets[source]?.next(now), end > now else { return nil }
        return end
    }

    /// Charges sources for work, each with an equal share.
    public mutating func charge(
        _ sources: Set<EventSource>, from start: ContinuousClock.Instant,
        to end: ContinuousClock.Instant
    ) {
        guard !sources.isEmpty else { return }
        let share = (end - start) / sources.count
        for source in sources {
            budgets[source, default: source.budget].spend(from: end - share, to: end)
        }
        if budgets.count > 64 { budgets = budgets.filter { !$0.value.isPaid(end) } }
    }
}
