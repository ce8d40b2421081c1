import API
import Foundation
import HostFilter
import Lab
import Linux
import NetTypes

/// Measures what the design promises, on real namespaces with the release build of the agent.
///
/// Usage: `Bench [ENDPOINTS] [PART...]`. The parts are hostFilter, traffic, flood, policy,
/// proof, and observation, which is a part of policy; without one all are measured. Prints a table and writes
/// `results/bench.json`. Being slow fails no run; being wrong does.
@main
struct Bench {
    static func main() async {
        do {
            try await run()
        } catch {
            print("bench: \(error)")
            exit(1)
        }
    }

    private static func run() async throws {
        let words = CommandLine.arguments.dropFirst()
        let size = words.compactMap { Int($0) }.first ?? 1000
        let parts = Set(words.filter { Int($0) == nil })
        func isWanted(_ part: String) -> Bool { parts.isEmpty || parts.contains(part) }
        var results = Results()
        if isWanted("hostFilter") { try measureHostFilter(into: &results) }
        if isWanted("traffic") { try await measureTraffic(into: &results) }
        if isWanted("flood") { try await Observation.measureFlood(into: &results) }
        if isWanted("policy") { try await measurePolicy(size, into: &results) }
        if isWanted("proof") { try await ProofCost.measure(size: size, into: &results) }
        if parts.contains("observation") {
            try await Observation.measureAlone(size: size, into: &results)
        }
        print(results.table)
        try results.write(to: "results/bench.json")
    }

    private static func measurePolicy(_ size: Int, into results: inout Results) async throws {
        let workload = try Workload(endpoints: size, rulesPerEndpoint: 100)
        do {
            try await measure(workload, into: &results)
        } catch {
            try? workload.remove()
            throw error
        }
        try workload.remove()
    }

    private static func measureHostFilter(into results: inout Results) throws {
        let rounds = try HostFilterCost.measure(rules: [10, 10_000], rounds: 15)
        func median(_ value: ([HostFilterCost.Times]) -> Double) -> Double {
            rounds.map(value).sorted()[rounds.count / 2]
        }
        results.add(
            "host filter, 10,000 rules: admitted, each to another peer", "ns", target: 150,
            median { $0[1].admittedAnew ?? .nan })
        for (title, target, times) in [
            ("established", 80.0, \HostFilterCost.Times.established),
            ("admitted", 150, \.admitted),
            ("admitted, by itself", 150, \.admittedAlone), ("refused", 150, \.refused),
            ("refused, first of its flow", 150, \.refusedFirst),
        ] as [(String, Double, KeyPath<HostFilterCost.Times, Double>)] {
            for (index, size) in ["10", "10,000"].enumerated() {
                results.add(
                    "host filter, \(size) rules: \(title)", "ns", target: target,
                    median { $0[index][keyPath: times] })
            }
            results.add(
                "host filter: \(title), 10,000 rules to 10", "times", target: 1.05,
                median { $0[1][keyPath: times] / $0[0][keyPath: times] })
        }
    }

    /// The same connection without a filter, with tables, and with both layers.
    private static func measureTraffic(into results: inout Results) async throws {
        let workload = try Workload(endpoints: 20, rulesPerEndpoint: 100)
        do {
            let lab = try workload.up()
            let traffic = TrafficCost(lab: lab, callee: .v4(0x0a3c_0101))
            try workload.allowTraffic(port: traffic.port)
            try await Quiet.wait()
            let none = try traffic.measure(runs: 3)
            for (title, mode) in [("nftables only", "off"), ("both layers", "on")] {
                let agent = try await RunningAgent(
                    lab: lab, workload: workload, hostFilter: mode)
                defer { agent.kill() }
                let figures = try traffic.measure(runs: 3)
                results.add(
                    "TCP throughput, \(title) to no filter", "ratio", target: nil,
                    figures.throughput / none.throughput)
                results.add(
                    "TCP requests a second, \(title) to no filter", "ratio", target: nil,
                    figures.requests / none.requests)
                try await agent.stop()
            }
            try? HostFilter.removeAll(
                root: "/sys/fs/bpf", host: NetworkNamespace(at: lab.fabricPath).id.inode)
        } catch {
            try? workload.remove()
            throw error
        }
        try workload.remove()
    }

    private static func measure(_ workload: Workload, into results: inout Results) async throws {
        print("\(workload.size) namespaces, \(workload.ruleCount) rules")
        let lab = try workload.up()
        try await Quiet.wait()
        let agent = try await RunningAgent(lab: lab, workload: workload)
        defer { agent.kill() }
        results.add(
            "\(workload.size) endpoints with 100 rules each, from nothing", "s", target: 3,
            agent.secondsToEnforced)
        try await Task.sleep(for: .seconds(3))
        results.add(
            "resident memory of the agent", "MiB", target: 64, try agent.residentMebibytes())
        for (title, file) in [
            ("a rule in a file of its own", Workload.File.single),
            ("a rule in a file of 100", Workload.File.hundred),
        ] {
            let times = try await ChangeLatency(workload, lab: lab, file: file).measure(runs: 20)
            results.add(
                "\(title) saved, to first packet through: median", "ms", target: 10,
                times.opened.median)
            results.add(
                "\(title) saved, to first packet through: worst of 20", "ms", target: 10,
                times.opened.worst)
            results.add(
                "\(title) removed, to last packet through: median", "ms", target: 10,
                times.closed.median)
            results.add(
                "\(title) removed, to last packet through: worst of 20", "ms", target: 10,
                times.closed.worst)
        }
        let rested = Yardstick().measure(runs: 40)
        results.add(
            "the machine itself, a millisecond's work after a rest: median", "ms", target: nil,
            rested.median)
        results.add(
            "the machine itself, a millisecond's work after a rest: worst of 40", "ms", target: nil,
            rested.worst)
        try await Observation.measure(workload, lab: lab, agent: agent, into: &results)
        try await agent.stop()
        try Reconciling.measure(workload, lab: lab, into: &results)
        results.add(
            "the same rules by one `nft -f` a namespace", "s", target: nil,
            try NftComparison(workload, lab: lab).seconds())
    }
}
