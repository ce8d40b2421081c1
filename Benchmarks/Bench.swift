import API
import Foundation
import Lab
import Linux
import NetTypes

/// Measures what the design promises, on real namespaces with the release build of the agent.
///
/// Prints a table and writes `results/bench.json`. Being slow fails no run; being wrong does.
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
        var size = 1000
        if CommandLine.arguments.count > 1, let number = Int(CommandLine.arguments[1]) {
            size = number
        }
        var results = Results()
        let workload = try Workload(endpoints: size, rulesPerEndpoint: 100)
        do {
            try await measure(workload, into: &results)
        } catch {
            try? workload.remove()
            throw error
        }
        try workload.remove()
        print(results.table)
        try results.write(to: "results/bench.json")
    }

    private static func measure(_ workload: Workload, into results: inout Results) async throws {
        print("\(workload.size) namespaces, \(workload.ruleCount) rules")
        let lab = try workload.up()
        try await Quiet.wait()
        let agent = try await RunningAgent(lab: lab, policies: workload.policies)
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
        try await agent.stop()
        let again = try await RunningAgent(lab: lab, policies: workload.policies)
        results.add("start over an enforced host", "s", target: 3, again.secondsToEnforced)
        defer { again.kill() }
        try await again.stop()
        results.add(
            "the same rules by one `nft -f` a namespace", "s", target: nil,
            try NftComparison(workload, lab: lab).seconds())
    }
}
