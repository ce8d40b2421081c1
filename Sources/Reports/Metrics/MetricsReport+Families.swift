import NetTypes

extension MetricsReport {
    /// Every family of the page, in its order.
    func families(_ limits: MetricsLimits) -> [MetricFamily] {
        let traffic = RuleSeries(rules, limit: limits.rules)
        let refusals = RefusedSeries(refused, limit: limits.refused)
        return agentFamilies + policyFamilies + endpointFamilies + traffic.families
            + refusals.families + overheardFamilies + lossFamilies + sinkFamilies
            + [
                MetricFamily(
                    .gauge, "ringfence_metrics_combined_series",
                    help: "What has no series of its own because there are too many, by kind.",
                    [
                        .init(UInt64(traffic.combined), [("kind", "rule")]),
                        .init(UInt64(refusals.combined), [("kind", "refused")]),
                    ])
            ]
    }

    private var agentFamilies: [MetricFamily] {
        let agent = status.agent
        return [
            MetricFamily(
                .info, "ringfence_build", help: "The release that runs.",
                [.init(1, [("version", agent.version)])]),
            MetricFamily(
                .gauge, "process_start_time_seconds", unit: "seconds",
                help: "When the agent started, in seconds since 1970.",
                [.init(real: Double(agent.started.milliseconds) / 1000)]),
            MetricFamily(
                .gauge, "process_resident_memory_bytes", unit: "bytes",
                help: "The agent's resident memory.", residentBytes),
            MetricFamily(
                .gauge, "ringfence_host_filter_enabled",
                help: "Whether eBPF programs are to stand on the host ends of the veths.",
                agent.hostFilter == .off ? 0 : 1),
            MetricFamily(
                .gauge, "ringfence_host_filter_problem",
                help: "Whether the host filter is not in the state that it should be in.",
                agent.hostFilterProblem == nil ? 0 : 1),
        ] + historyFamilies
    }

    private var historyFamilies: [MetricFamily] {
        guard let history else { return [] }
        return [
            MetricFamily(
                .gauge, "ringfence_history_size_bytes", unit: "bytes",
                help: "The size of the file that history is kept in, and of its log.",
                UInt64(clamping: history.bytes)),
            MetricFamily(
                .gauge, "ringfence_history_on_disk",
                help: "Whether history is kept on the disk and not in memory only.",
                history.isOnDisk ? 1 : 0),
            MetricFamily(
                .counter, "ringfence_history_lost_rows",
                help: "Rows of history that there was no room for.", history.lost),
        ]
    }

    private var policyFamilies: [MetricFamily] {
        let policies = status.policies
        return [
            MetricFamily(
                .gauge, "ringfence_generation",
                help: "The number of the state that is enforced.", status.agent.generation),
            MetricFamily(
                .gauge, "ringfence_policy_files", help: "Policy files in force.",
                UInt64(clamping: policies.files)),
            MetricFamily(
                .gauge, "ringfence_tenants", help: "Tenants that policies declare.",
                UInt64(clamping: policies.tenants)),
            MetricFamily(
                .gauge, "ringfence_rules", help: "Rules in force.",
                UInt64(clamping: policies.rules)),
            MetricFamily(
                .gauge, "ringfence_policy_errors",
                help: "Mistakes in policy files that are not in force as they are.",
                UInt64(clamping: policies.errors.count)),
            MetricFamily(
                .counter, "ringfence_parse_errors",
                help: "Mistakes that were found in policy files since the agent started.",
                parseErrors),
            MetricFamily(
                "ringfence_apply_duration_seconds",
                help: "How long it took to bring a state into the kernel.", apply),
            MetricFamily(
                "ringfence_save_to_enforced_seconds",
                help: "How long it took from a saved policy file to the kernel.",
                savedToEnforced),
            MetricFamily(
                .counter, "ringfence_drift_repairs",
                help: "How often the kernel's state was another than the agent's, and was mended.",
                driftRepairs),
            MetricFamily(
                .counter, "ringfence_drift",
                help: "Changes to the kernel's state that the agent did not make, by kind.",
                DriftRecord.Kind.allCases.map { kind in
                    .init(drift[kind] ?? 0, [("kind", kind.rawValue)])
                }),
        ]
    }

    private var endpointFamilies: [MetricFamily] {
        let states = Dictionary(grouping: status.endpoints, by: \.state)
        return [
            MetricFamily(
                .gauge, "ringfence_endpoints", help: "Endpoints by state.",
                EndpointStatus.State.allCases.map { state in
                    .init(UInt64(states[state]?.count ?? 0), [("state", state.rawValue)])
                }),
            MetricFamily(
                .gauge, "ringfence_unclaimed_namespaces",
                help: "Namespaces that no tenant claims, which get nothing.",
                UInt64(clamping: status.unknownNamespaces.count)),
            MetricFamily(
                .gauge, "ringfence_conflicts",
                help: "Claims to addresses and namespaces that are refused.",
                UInt64(clamping: status.conflicts.count)),
            MetricFamily(
                .gauge, "ringfence_map_fill_ratio", unit: "ratio",
                help: "How full the kernel's maps are, those of the fullest endpoint.",
                mapFill.sorted { $0.key < $1.key }.map { .init(real: $0.value, [("map", $0.key)]) }),
        ]
    }

    private var overheardFamilies: [MetricFamily] {
        guard let kinds = status.overheard?.kinds else { return [] }
        return [
            MetricFamily(
                .counter, "ringfence_overheard_packets", unit: "packets",
                help: "Frames that a bridge gave to everybody, dropped as nobody's attempt.",
                kinds.map { .init($0.counts.packets, [("kind", $0.kind)]) }),
            MetricFamily(
                .counter, "ringfence_overheard_bytes", unit: "bytes",
                help: "Bytes that a bridge gave to everybody, dropped as nobody's attempt.",
                kinds.map { .init($0.counts.bytes, [("kind", $0.kind)]) }),
        ]
    }

    private var sinkFamilies: [MetricFamily] {
        guard !status.sinks.isEmpty else { return [] }
        return [
            MetricFamily(
                .counter, "ringfence_sink_records", help: "Records that a sink has written.",
                status.sinks.map { .init($0.written, [("sink", $0.name)]) }),
            MetricFamily(
                .counter, "ringfence_sink_lost_records",
                help: "Records that a sink never wrote: too many waited, came, or were too large.",
                status.sinks.flatMap { sink in
                    sink.lost.causes.map {
                        .init($0.count, [("sink", sink.name), ("cause", $0.cause)])
                    }
                }),
            MetricFamily(
                .gauge, "ringfence_sink_problem",
                help: "Whether a sink can't write at the moment.",
                status.sinks.map { .init($0.problem == nil ? 0 : 1, [("sink", $0.name)]) }),
        ]
    }

    private var lossFamilies: [MetricFamily] {
        let lost = status.lost
        let events = [
            ("links", lost.links), ("refusals", lost.refusals), ("rules", lost.rules),
            ("violations", lost.violations),
        ]
        return [
            MetricFamily(
                .counter, "ringfence_unattributed_packets", unit: "packets",
                help: "Refused packets that found no room in the kernel's sets of flows.",
                notRecorded.packets),
            MetricFamily(
                .counter, "ringfence_unattributed_bytes", unit: "bytes",
                help: "Refused bytes that found no room in the kernel's sets of flows.",
                notRecorded.bytes),
            MetricFamily(
                .counter, "ringfence_lost_events",
                help: "Notices that the kernel could not deliver; what they told was read again.",
                events.map { .init($0.1, [("kind", $0.0)]) }),
        ]
    }
}
