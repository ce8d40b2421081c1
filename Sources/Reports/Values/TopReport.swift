public import NetTypes
public import Policy

/// How much goes on between each pair of parties: what changed from one sample to the next.
public struct TopReport: Hashable, Sendable, Encodable {
    /// What comes first.
    public enum Order: String, Hashable, Sendable, Codable, CaseIterable {
        case refusedRate
        case admittedRate
        case refused
        case last
        case name

        public var next: Order {
            switch self {
            case .refusedRate: .admittedRate
            case .admittedRate: .refused
            case .refused: .last
            case .last: .name
            case .name: .refusedRate
            }
        }
    }

    /// One pair.
    public struct Row: Hashable, Sendable, Encodable {
        public var source: PartyName
        public var destination: PartyName
        /// Packets per second; nil where rules that speak of others as well admit them.
        public var admittedRate: Double?
        /// Packets per second; nil before there are two samples.
        public var refusedRate: Double?
        /// Packets since counting began.
        public var refused: UInt64
        public var lastRefused: Timestamp?
        public var reason: RefusalReason?
        public var closest: Explanation?
    }

    public var at: Timestamp
    public var generation: UInt64
    public var order: Order
    public var rows: [Row]

    /// The later of two samples, with the rates between the two.
    ///
    /// - Parameters:
    ///   - now: The later one.
    ///   - before: The earlier one; nil where there is only one.
    ///   - seconds: How much later it was taken, by a clock that doesn't jump.
    ///   - order: What comes first.
    public init(
        _ now: TopSample, before: TopSample?, seconds: Double, order: Order = .refusedRate
    ) {
        at = now.at
        generation = now.generation
        self.order = order
        rows = now.pairs.map { pair, counts in
            let old = before.map { $0.pairs[pair] ?? TopSample.Pair(admitted: 0, refused: 0) }
            return Row(
                source: pair.source, destination: pair.destination,
                admittedRate: Self.rate(old?.admitted, counts.admitted, seconds),
                refusedRate: Self.rate(old?.refused, counts.refused, seconds),
                refused: counts.refused, lastRefused: counts.lastRefused, reason: counts.reason,
                closest: counts.closest)
        }
        rows.sort { $0.isBefore($1, order) }
    }

    /// Nil where one is unknown; counters that began anew count from 0.
    private static func rate(_ old: UInt64?, _ new: UInt64?, _ seconds: Double) -> Double? {
        guard let old, let new, seconds > 0 else { return nil }
        return Double(new >= old ? new - old : new) / seconds
    }
}

extension TopReport.Row {
    private var pair: PartyPair { PartyPair(source, destination) }

    /// The most, then by name.
    fileprivate func isBefore(_ other: Self, _ order: TopReport.Order) -> Bool {
        let (mine, others) = (weight(order), other.weight(order))
        return mine == others ? pair < other.pair : mine > others
    }

    private func weight(_ order: TopReport.Order) -> Double {
        switch order {
        case .refusedRate: refusedRate ?? -1
        case .admittedRate: admittedRate ?? -1
        case .refused: Double(refused)
        case .last: Double(lastRefused?.milliseconds ?? .min)
        case .name: 0
        }
    }
}
