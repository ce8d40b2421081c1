internal import AgentCore
internal import Compiler
internal import HostFilter
internal import Linux
internal import Logging
internal import NetTypes
internal import Nftables
internal import OrderedCollections
internal import Policy
public import Reports
internal import Rules
internal import Store

extension Agent {
    /// How many tables are read, on all processors, before whatever else is due gets its turn.
    private static let stride = 32

    /// Everything that is measured.
    ///
    /// Somebody asks for it every few seconds, so it reads the live rules and the totals of each
    /// table and nothing else; refused flows are read where the totals say that there are new ones.
    /// What the rules of a whole host add up to is worked out away from the event loop.
    public nonisolated func metrics() async throws -> MetricsReport {
        try await measure().report
    }

    private func measure() async throws -> Measured {
        var readings: [NamespaceID: TrafficReading] = [:]
        var left = holdings.keys.sorted()[...]
        while !left.isEmpty {
            let ids = left.prefix(Self.stride)
            try await rest(of: ids)
            try read(Array(ids), into: &readings)
            left = left.dropFirst(Self.stride)
            await Task.yield()
        }
        // What was changed meanwhile has handed its old counts to the ledger.
        try await readAgain {
            outdated(readings.mapValues(\.generation))
        } _: {
            for id in $0 { readings[id] = nil }
            try read($0.sorted(), into: &readings)
        }
        readHostRefusals()
        if readings.count > Self.stride { schedule.set(.trim, at: .now + .seconds(1)) }
        return measured(readings)
    }

    private func read(
        _ ids: [NamespaceID], into readings: inout [NamespaceID: TrafficReading]
    ) throws(NftablesError) {
        let known = ids.compactMap { id in tenures[id].map { (id: id, tenure: $0) } }
            .filter { holdings[$0.id]?.state != nil }
        let results = concurrently(known.count) { index in
            Result { () throws(NftablesError) in
                try persistently { () throws(NftablesError) in
                    try known[index].tenure.table.traffic()
                }
            }
        }
        for (tenure, result) in zip(known, results) {
            guard let holding = holdings[tenure.id], let state = holding.state else { continue }
            do throws(NftablesError) {
                let traffic = try result.get()
                readings[tenure.id] = TrafficReading(
                    generation: holding.generation, rules: state.rules, traffic: traffic)
                if traffic.totals.occurred != ledger.tables?[tenure.id]?.refused ?? [:] {
                    takeRefusals(try tenure.tenure.table.refusals(), of: tenure.id)
                }
            } catch {
                let name = observed[tenure.id]?.name ?? "\(tenure.id)"
                logger.error("counters of \(name): \(error)")
                throw error
            }
        }
    }

    private func measured(_ readings: [NamespaceID: TrafficReading]) -> Measured {
        var inside = (ledger.endpoints ?? [:]).values.reduce(into: Count.zero) {
            $0 += $1.allRefused
        }
        for reading in readings.values {
            inside = reading.traffic.totals.values.reduce(into: inside) { $0 += $1 }
        }
        var status = status(otherPrograms: nil)
        status.lost.refusals += (try? hostFilter?.lostEvents()) ?? 0
        var sums = ledger.carried
        var live = Array(readings.values)
        if configuration.hostFilter == .only {
            var unused: [NamespaceID: Tally] = [:]
            sums = hostSums(&unused) ?? [:]
            live = []
        }
        return Measured(
            files: inputs.accepted.files, carried: sums, readings: live,
            rest: MetricsReport(
                status: status, refused: pairs(), notRecorded: notRecorded(inside: inside),
                apply: metrics.applyTimes, savedToEnforced: metrics.savedToEnforced,
                parseErrors: metrics.parseErrors,
                driftRepairs: metrics.driftRepairs, drift: metrics.drift, mapFill: mapFill(),
                history: store.condition))
    }

    /// How full the fullest map of each kind is.
    private func mapFill() -> [String: Double] {
        typealias Name = Program.SetName
        var counts: [String: Int] = [:]
        for holding in holdings.values {
            guard let state = holding.state else { continue }
            for (name, count) in [
                (Name.peers4, state.peers4.count), (Name.peers6, state.peers6.count),
                (Name.rules, state.rules.count),
            ] + state.admissionCounts.map({ ($0.map, $0.count) }) {
                counts[name] = max(counts[name] ?? 0, count)
            }
        }
        var fill = counts.mapValues { Double($0) / Double(CompileError.limit) }
        let crowds = ledger.book.crowds
        for set in Program.sets {
            guard let capacity = set.capacity, set.name != Name.rejudged else { continue }
            fill[set.name] = Double(crowds[set.name] ?? 0) / Double(capacity)
        }
        for (name, share) in hostFilter?.fill ?? [:] { fill["host_\(name)"] = share }
        return fill
    }
}

/// One table's counters, and the state that they belong to.
private struct TrafficReading: Sendable {
    let generation: UInt64
    let rules: RuleTable
    let traffic: TableTraffic
}

/// What the agent knew when all tables were read.
private struct Measured: Sendable {
    let files: PolicyFiles
    /// What no table holds any more, or the host filter's counts where it is the only layer.
    let carried: [Ledger.RuleKey: RuleCount]
    let readings: [TrafficReading]
    /// All but the rules.
    let rest: MetricsReport

    var report: MetricsReport {
        var report = rest
        report.rules = traffic
        report.residentBytes = Memory.resident
        return report
    }

    /// What each rule let through, as `counters` counts it.
    private var traffic: [RuleTraffic] {
        var sums = carried.mapValues(\.traffic)
        for reading in readings {
            for (mark, count) in reading.traffic.rules {
                guard let rule = reading.rules[mark] else { continue }
                sums[.init(rule: rule.id, direction: rule.direction), default: .zero] += count
            }
        }
        return files.inOrder.flatMap(\.rules).map { rule in
            let key = Ledger.RuleKey(rule: rule.id, direction: rule.countedDirection)
            let count = sums[key] ?? .zero
            return RuleTraffic(
                rule: rule.id, policy: rule.policy.name, packets: count.packets,
                bytes: count.bytes)
        }
    }
}
