import NetTypes
import Policy
import Reports
import Testing

struct MetricsTests {
    /// A report with a value of each kind.
    private static func report(rules: Int = 2, pairs: [RefusedPair] = []) -> MetricsReport {
        var apply = Histogram(bounds: [0.001, 1])
        for seconds in [0.000_5, 0.25, 2] { apply.record(seconds) }
        let traffic = (0..<rules).map { index in
            RuleTraffic(
                rule: RuleID(rawValue: UInt64(index)), policy: "p\(index)",
                packets: UInt64(index) + 1, bytes: 100 * (UInt64(index) + 1))
        }
        let status = StatusReport(
            agent: AgentStatus(
                version: "1.0.0", pid: 42, started: Timestamp(milliseconds: 1500),
                generation: 17),
            policies: PolicyStatus(
                directory: "/etc/ringfence", files: 1, policies: 1, rules: rules, tenants: 1),
            endpoints: [
                EndpointStatus(name: "a", tenant: "a", state: .enforced, addresses: [])
            ], lost: LostEvents(refusals: 3))
        return MetricsReport(
            status: status, rules: traffic, refused: pairs, apply: apply,
            savedToEnforced: Histogram(bounds: [1]), mapFill: ["rules": 0.25])
    }

    private static func pair(
        _ source: PartyName, _ destination: PartyName = .world, _ reason: RefusalReason = .noRule,
        packets: UInt64 = 1
    ) -> RefusedPair {
        RefusedPair(
            source: source, destination: destination, direction: .egress, reason: reason,
            counts: Tally(packets: packets, bytes: packets * 60, flows: 1))
    }

    private func lines(
        _ report: MetricsReport, _ form: MetricsForm = .prometheus,
        _ limits: MetricsLimits = MetricsLimits()
    ) -> [String] {
        let bytes = MetricsPage(report, form, limits: limits).reduce(into: [UInt8]()) { $0 += $1 }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map { String($0) }
    }

    @Test func `values stand under their names`() {
        let lines = lines(Self.report(pairs: [Self.pair(.tenant("shop"), packets: 5)]))

        for line in [
            "# TYPE ringfence_rule_packets_total counter",
            "ringfence_rule_packets_total{policy=\"p1\",rule=\"0000000000000001\"} 2",
            "ringfence_rule_bytes_total{policy=\"p1\",rule=\"0000000000000001\"} 200",
            "ringfence_refused_packets_total{source=\"shop\",destination=\":world\","
                + "direction=\"egress\",layer=\"nftables\",reason=\"noRule\"} 5",
            "ringfence_endpoints{state=\"enforced\"} 1", "ringfence_endpoints{state=\"closed\"} 0",
            "ringfence_generation 17", "ringfence_lost_events_total{kind=\"refusals\"} 3",
            "ringfence_map_fill_ratio{map=\"rules\"} 0.25",
            "# TYPE ringfence_build_info gauge", "ringfence_build_info{version=\"1.0.0\"} 1",
            "process_start_time_seconds 1.5",
        ] {
            #expect(lines.contains(line))
        }
        #expect(!lines.contains { $0.hasPrefix("# UNIT") || $0 == "# EOF" })
    }

    @Test func `a histogram adds up its buckets`() {
        let lines = lines(Self.report()).filter {
            $0.hasPrefix("ringfence_apply_duration_seconds")
        }

        #expect(
            lines == [
                "ringfence_apply_duration_seconds_bucket{le=\"0.001\"} 1",
                "ringfence_apply_duration_seconds_bucket{le=\"1.0\"} 2",
                "ringfence_apply_duration_seconds_bucket{le=\"+Inf\"} 3",
                "ringfence_apply_duration_seconds_sum 2.2505",
                "ringfence_apply_duration_seconds_count 3",
            ])
    }

    @Test func `OpenMetrics has names without endings, units, and an end`() {
        let lines = lines(Self.report(), .openMetrics)

        for line in [
            "# TYPE ringfence_rule_bytes counter", "# UNIT ringfence_rule_bytes bytes",
            "ringfence_rule_bytes_total{policy=\"p0\",rule=\"0000000000000000\"} 100",
            "# TYPE ringfence_build info", "# UNIT ringfence_apply_duration_seconds seconds",
        ] {
            #expect(lines.contains(line))
        }
        #expect(lines.last == "# EOF")
    }

    @Test func `hostile names are escaped`() {
        let lines = lines(Self.report(pairs: [Self.pair(.tenant("a\"b\\c\nd"))]))

        #expect(
            lines.contains {
                $0.hasPrefix(#"ringfence_refused_flows_total{source="a\"b\\c\nd",destination="#)
            })
    }

    @Test func `rules beyond the limit are added up`() {
        let lines = lines(Self.report(rules: 5), .prometheus, MetricsLimits(rules: 2, refused: 9))
        let packets = lines.filter { $0.hasPrefix("ringfence_rule_packets_total") }

        #expect(
            packets == [
                "ringfence_rule_packets_total{policy=\"p0\",rule=\"0000000000000000\"} 1",
                "ringfence_rule_packets_total{policy=\"p1\",rule=\"0000000000000001\"} 2",
                "ringfence_rule_packets_total{policy=\":others\",rule=\":others\"} 12",
            ])
        #expect(lines.contains("ringfence_metrics_combined_series{kind=\"rule\"} 3"))
    }

    /// Senders choose addresses, and tenants have many pairs: neither may make series without end.
    @Test func `strangers share a series, and pairs beyond the limit are added up`() {
        let strangers = (1...50).map { Self.pair(.address(.v4(UInt32($0))), .tenant("shop")) }
        let tenants = (10...30).map { Self.pair(.tenant("t\($0)"), .tenant("shop")) }
        let report = Self.report(pairs: strangers + tenants)
        func packets(_ limits: MetricsLimits) -> [String] {
            lines(report, .prometheus, limits)
                .filter { $0.hasPrefix("ringfence_refused_packets_total") }
        }
        func sum(_ lines: [String]) -> Int {
            lines.reduce(0) { $0 + (Int($1.split(separator: " ").last ?? "") ?? 0) }
        }

        let all = packets(MetricsLimits())
        let few = packets(MetricsLimits(rules: 9, refused: 10))
        #expect(all.count == 22 && sum(all) == 71)
        #expect(few.count == 11 && sum(few) == 71)
        #expect(
            few.contains {
                $0.contains("{source=\":others\",destination=\":others\"") && $0.hasSuffix(" 12")
            })
    }

    @Test(arguments: MetricsForm.allCases)
    func `pieces make one page whatever their size`(_ form: MetricsForm) {
        let report = Self.report(rules: 3000)
        let pieces = Array(MetricsPage(report, form))
        let lines = lines(report, form)

        #expect(pieces.count > 3)
        #expect(lines.count { $0.hasPrefix("ringfence_rule_packets_total{") } == 3000)
        #expect(
            lines.count { $0.hasPrefix("# TYPE ") }
                == Set(
                    lines.filter {
                        $0.hasPrefix("# TYPE ")
                    }
                ).count)
    }
}
