internal import NetTypes

/// What was refused between parties, for as many of them as there is room for.
///
/// Senders choose addresses, so strangers share one name; what is beyond the limit is added up by
/// direction, layer and reason, of which there are few.
struct RefusedSeries: Sendable {
    /// The labels of a series.
    private struct Key: Hashable, Comparable {
        var source: String
        var destination: String
        let direction: Direction
        let layer: Violation.Layer
        let reason: RefusalReason

        init(_ pair: RefusedPair) {
            source = pair.source.label
            destination = pair.destination.label
            direction = pair.direction
            layer = pair.layer
            reason = pair.reason
        }

        var combined: Key {
            var key = self
            key.source = PartyName.others.parameter
            key.destination = PartyName.others.parameter
            return key
        }

        static func < (left: Key, right: Key) -> Bool {
            (
                left.source, left.destination, left.direction.rawValue, left.layer.rawValue,
                left.reason.rawValue
            ) < (
                right.source, right.destination, right.direction.rawValue, right.layer.rawValue,
                right.reason.rawValue
            )
        }

        var labels: [(name: String, value: String)] {
            [
                ("source", source), ("destination", destination),
                ("direction", direction.rawValue), ("layer", layer.rawValue),
                ("reason", reason.rawValue),
            ]
        }
    }

    private let series: [(key: Key, counts: Tally)]
    /// How many series were added to others.
    let combined: Int

    init(_ pairs: [RefusedPair], limit: Int) {
        var sums: [Key: Tally] = [:]
        for pair in pairs { sums[Key(pair), default: Tally()].add(pair.counts) }
        let sorted = sums.sorted { $0.key < $1.key }
        var kept = Dictionary(
            sorted.prefix(limit).map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first }
        )
        for (key, counts) in sorted.dropFirst(limit) {
            kept[key.combined, default: Tally()].add(counts)
        }
        combined = max(sorted.count - limit, 0)
        series = kept.sorted { $0.key < $1.key }.map { (key: $0.key, counts: $0.value) }
    }

    var families: [MetricFamily] {
        [
            family("packets", "Packets that were refused.") { $0.packets },
            family("bytes", "Bytes that were refused.") { $0.bytes },
            family("flows", "Distinct refused flows within an hour, added up over the hours.") {
                $0.flows
            },
        ]
    }

    private func family(
        _ unit: String, _ help: String, value: (Tally) -> UInt64
    ) -> MetricFamily {
        MetricFamily(
            .counter, "ringfence_refused_\(unit)", unit: unit, help: help,
            series.map { .init(value($0.counts), $0.key.labels) })
    }
}

extension PartyName {
    /// A tenant's name, or `:host`, `:world`, or `:others` for whatever address it is.
    fileprivate var label: String { kind == .address ? PartyName.others.parameter : parameter }
}

extension Tally {
    fileprivate mutating func add(_ other: Tally) { self = self + other }
}
