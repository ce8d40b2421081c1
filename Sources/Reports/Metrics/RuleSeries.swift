internal import NetTypes

/// What rules let through, those beyond a limit added up.
struct RuleSeries: Sendable {
    private let rules: [RuleTraffic]
    private let limit: Int
    private let rest: (packets: UInt64, bytes: UInt64)
    /// How many rules have no series of their own.
    let combined: Int

    init(_ rules: [RuleTraffic], limit: Int) {
        self.rules = rules
        self.limit = min(limit, rules.count)
        let beyond = rules.dropFirst(limit)
        combined = beyond.count
        rest = beyond.reduce(into: (0, 0)) {
            $0.0 &+= $1.packets
            $0.1 &+= $1.bytes
        }
    }

    var families: [MetricFamily] {
        [
            family("packets", "Packets that each rule let through, of both directions.") {
                $0.packets
            } rest: {
                $0.rest.packets
            },
            family("bytes", "Bytes that each rule let through, of both directions.") {
                $0.bytes
            } rest: {
                $0.rest.bytes
            },
        ]
    }

    private func family(
        _ unit: String, _ help: String, value: @escaping @Sendable (RuleTraffic) -> UInt64,
        rest: @escaping @Sendable (RuleSeries) -> UInt64
    ) -> MetricFamily {
        let name = "ringfence_rule_\(unit)"
        let start = Array("\(name)_total{policy=\"".utf8)
        return MetricFamily(
            name: name, kind: .counter, unit: unit, help: help,
            count: limit + (combined > 0 ? 1 : 0)
        ) { index, text in
            text.append(start)
            if index < limit {
                let rule = rules[index]
                text.append(escaped: rule.policy)
                text.append("\",rule=\"")
                text.append(rule.rule)
                text.append("\"} ")
                text.append(value(rule))
            } else {
                text.append(":others\",rule=\":others\"} ")
                text.append(rest(self))
            }
            text.endLine()
        }
    }
}
