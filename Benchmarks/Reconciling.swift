import Foundation
import Lab

/// What a start over an enforced host takes: soak/reconcile.py kills the agent and starts the next.
enum Reconciling {
    private struct Found: Decodable {
        let ready: [Double]
        let answered: [Double]
        let writes: Int
    }

    static func measure(
        _ workload: Workload, lab: Lab, runs: Int = 5, into results: inout Results
    ) throws {
        for isKept in [true, false] {
            let found = try run(workload, lab, runs, isKept)
            let keeper = isKept ? "sockets kept" : "sockets not kept"
            results.add(
                "start over an enforced host, \(keeper), until reconciled: median", "s",
                target: 0.5, found.ready.sorted()[runs / 2])
            results.add(
                "start over an enforced host, \(keeper), until reconciled: worst of \(runs)", "s",
                target: 0.5, found.ready.max() ?? 0)
            results.add(
                "start over an enforced host, \(keeper), until status answers: median", "s",
                target: nil, found.answered.sorted()[runs / 2])
            // Without a keeper a table's new owner has to be written, and nothing else.
            results.add(
                "transactions a start, \(keeper)", "transactions",
                target: isKept ? 0 : Double(workload.size), Double(found.writes) / Double(runs))
        }
    }

    private static func run(
        _ workload: Workload, _ lab: Lab, _ runs: Int, _ isKept: Bool
    ) throws -> Found {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        let agent = RunningAgent.command(lab: lab, workload: workload)
        process.arguments =
            ["python3", "-B", "soak/reconcile.py", "\(runs)", isKept ? "1" : "0"]
            + [workload.folder + "/agent.sock", lab.namespaceFolder, "--"] + agent
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let bytes = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw BenchError("soak/reconcile.py ended with \(process.terminationStatus)")
        }
        return try JSONDecoder().decode(Found.self, from: bytes)
    }
}
