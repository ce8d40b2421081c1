import API
import Foundation
import Lab
import Reports

/// What it costs to see: refusals counted, told, and scraped.
enum Observation {
    /// A flood of refused packets, and the same one into a bare drop rule.
    static func measureFlood(into results: inout Results) async throws {
        let workload = try Workload(endpoints: 20, rulesPerEndpoint: 100)
        do {
            let lab = try workload.up()
            try await Quiet.wait()
            let flood = RefusalRate(workload, lab: lab)
            let bare = try flood.bare(tracked: false)
            let tracked = try flood.bare(tracked: true)
            let agent = try await RunningAgent(lab: lab, workload: workload)
            defer { agent.kill() }
            var rates: [(title: String, rate: Double)] = []
            for flows in [1, 200] {
                let title = "refused and counted, \(flows) flow\(flows == 1 ? "" : "s")"
                rates.append((title, try await flood.refused(flows: flows)))
            }
            try await agent.stop()
            let unrecorded = try flood.unrecorded()
            results.add("bare nft drop rule with a counter", "packets/s", target: nil, bare)
            results.add("the same behind connection tracking", "packets/s", target: nil, tracked)
            results.add(
                "the agent's table that drops and keeps no flow", "packets/s", target: nil,
                unrecorded)
            for (title, rate) in rates {
                results.add(title, "packets/s", target: nil, rate)
                results.add(
                    "\(title): the same table without the record to it", "times", target: 1,
                    unrecorded / rate)
                results.add("\(title): bare drop to it", "times", target: nil, bare / rate)
            }
        } catch {
            try? workload.remove()
            throw error
        }
        try workload.remove()
    }

    /// These measures and no others: `Bench 1000 observation`.
    static func measureAlone(size: Int, into results: inout Results) async throws {
        try await measureFlood(into: &results)
        let workload = try Workload(endpoints: size, rulesPerEndpoint: 100)
        do {
            let lab = try workload.up()
            try await Quiet.wait()
            let agent = try await RunningAgent(lab: lab, workload: workload)
            defer { agent.kill() }
            try await measure(workload, lab: lab, agent: agent, into: &results)
            try await agent.stop()
        } catch {
            try? workload.remove()
            throw error
        }
        try workload.remove()
    }

    /// On a host that is enforced: a refused flow is told, and everything is scraped.
    static func measure(
        _ workload: Workload, lab: Lab, agent: RunningAgent, into results: inout Results
    ) async throws {
        let told = try FollowLatency(workload, lab: lab).measure(runs: 100)
        results.add(
            "refused packet to `violations --follow`: median", "ms", target: 20, told.median)
        results.add(
            "refused packet to `violations --follow`: worst of 100", "ms", target: nil, told.worst)
        let scrape = try await MetricsScrape(socket: workload.folder + "/agent.sock")
            .measure(runs: 10)
        let title = "/metrics of \(workload.size) endpoints, \(workload.ruleCount) rules"
        results.add("\(title): median", "ms", target: 300, scrape.times.median)
        results.add("\(title): worst of 10", "ms", target: nil, scrape.times.worst)
        results.add("\(title): size", "MiB", target: nil, Double(scrape.bytes) / 1_048_576)
        try await Task.sleep(for: .seconds(2))
        results.add(
            "resident memory after ten of them", "MiB", target: 96, try agent.residentMebibytes())
    }
}
