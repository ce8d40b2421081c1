import Foundation
import Lab
import Verifier

/// What it costs to prove everything: `ringfence audit` as a process of its own, on namespaces that
/// an agent has left in force.
enum ProofCost {
    struct Figures {
        let reading: Double
        let proving: Double
        /// From the start of the process to its end, reports and all.
        let whole: Double
        let mebibytes: Double
        let classes: Int
    }

    static func measure(size: Int, into results: inout Results) async throws {
        let few = try await figures(endpoints: max(size / 10, 10))
        let many = try await figures(endpoints: size)
        results.add(
            "proof of \(size) endpoints, \(size * 100) rules", "s",
            target: Double(size) / 100, many.proving)
        results.add("reading their tables", "s", target: nil, many.reading)
        results.add("the whole audit", "s", target: nil, many.whole)
        results.add("memory of the audit", "MiB", target: 512, many.mebibytes)
        results.add("classes of packets", "classes", target: nil, Double(many.classes))
        results.add(
            "proof of a tenth of the endpoints", "s", target: nil, few.proving)
        results.add(
            "time for one endpoint, of all to a tenth", "ratio", target: 1.2,
            many.proving / few.proving / 10)
    }

    private static func figures(endpoints: Int) async throws -> Figures {
        let workload = try Workload(endpoints: endpoints, rulesPerEndpoint: 100)
        do {
            let lab = try workload.up()
            let agent = try await RunningAgent(lab: lab, workload: workload)
            defer { agent.kill() }
            try await agent.stop()
            try await Quiet.wait()
            let figures = try audit(lab, workload)
            try workload.remove()
            return figures
        } catch {
            try? workload.remove()
            throw error
        }
    }

    private static func audit(_ lab: Lab, _ workload: Workload) throws -> Figures {
        let output = workload.folder + "/audit.json"
        try Data().write(to: URL(fileURLWithPath: output))
        let process = Process()
        process.executableURL = URL(fileURLWithPath: CommandLine.arguments[0])
            .deletingLastPathComponent().appendingPathComponent("ringfence")
        process.arguments = [
            "audit", "--policies", workload.policies, "--namespaces", lab.namespaceFolder,
            "--host-namespace", lab.fabricPath, "--no-record",
            "--output", "json",
        ]
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: output))
        process.standardOutput = file
        let started = ContinuousClock.now
        try process.run()
        var peak = 0.0
        while process.isRunning {
            peak = max(peak, residentPeak(of: process.processIdentifier) ?? 0)
            usleep(10_000)
        }
        let whole = ContinuousClock.now - started
        guard process.terminationStatus == 0 else {
            throw BenchError("the audit ended with \(process.terminationStatus): \(output)")
        }
        let result = try JSONDecoder().decode(
            Report.self, from: Data(contentsOf: URL(fileURLWithPath: output))
        ).kernel
        return Figures(
            reading: result.times.reading, proving: result.times.proving,
            whole: Double(whole.components.seconds) + Double(whole.components.attoseconds) / 1e18,
            mebibytes: peak, classes: result.coverage.classes)
    }

    /// The part of the report that says what the kernel was found to hold.
    private struct Report: Decodable {
        let kernel: AuditResult
    }

    private static func residentPeak(of process: Int32) -> Double? {
        let status = try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
        let line = status?.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
        return line?.split(separator: " ").compactMap { Double($0) }.first.map { $0 / 1024 }
    }
}
