import API
import Foundation
import Lab
import Reports

/// The release build of the agent as a process of its own.
struct RunningAgent {
    let secondsToEnforced: Double
    private let process: Process

    /// Starts the agent and waits until every endpoint is enforced.
    init(lab: Lab, workload: Workload, hostFilter: String = "off") async throws {
        let folder = workload.folder
        let command = Self.command(lab: lab, workload: workload, hostFilter: hostFilter)
        process = Process()
        process.executableURL = URL(fileURLWithPath: command[0])
        process.arguments = Array(command.dropFirst())
        let clock = ContinuousClock()
        let start = clock.now
        try process.run()
        let client = APIClient(socketPath: folder + "/agent.sock")
        var isReady = false
        while !isReady, clock.now - start < .seconds(120) {
            try await Task.sleep(for: .milliseconds(5))
            let status = try? await client.status()
            isReady =
                status?.endpoints.count == lab.namespacePaths.count
                && status?.endpoints.allSatisfy { $0.state == .enforced } == true
        }
        guard isReady else { throw BenchError("the agent did not enforce every endpoint in 120 s") }
        let parts = (clock.now - start).components
        secondsToEnforced = Double(parts.seconds) + Double(parts.attoseconds) / 1e18
    }

    /// The agent with all its options.
    static func command(lab: Lab, workload: Workload, hostFilter: String = "off") -> [String] {
        let binary = URL(fileURLWithPath: CommandLine.arguments[0])
            .deletingLastPathComponent().appendingPathComponent("ringfence")
        return [
            binary.path, "agent", "--policies", workload.policies, "--host-filter", hostFilter,
            "--namespaces", lab.namespaceFolder, "--host-namespace", lab.fabricPath, "--state",
            workload.folder + "/state", "--socket", workload.folder + "/agent.sock",
            "--log-level",
            ProcessInfo.processInfo.environment["RINGFENCE_BENCH_LOG"] ?? "warning",
        ]
    }

    func residentMebibytes() throws -> Double {
        let status = try String(
            contentsOfFile: "/proc/\(process.processIdentifier)/status", encoding: .utf8)
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") } ?? ""
        guard let kibibytes = line.split(separator: " ").compactMap({ Double($0) }).first else {
            throw BenchError("the kernel tells no VmRSS")
        }
        return kibibytes / 1024
    }

    /// Ends the agent if an error left it running.
    func kill() { if process.isRunning { Foundation.kill(process.processIdentifier, SIGKILL) } }

    func stop() async throws {
        process.terminate()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw BenchError("the agent ended with \(process.terminationStatus)")
        }
    }
}

/// Something is wrong rather than slow.
struct BenchError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
