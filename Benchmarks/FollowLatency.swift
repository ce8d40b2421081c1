import Foundation
import Glibc
import Lab
import Linux
import NetTypes
import Reports
import Synchronization

/// How long after a refused packet `violations --follow` has printed its line.
struct FollowLatency {
    private let workload: Workload
    private let lab: Lab

    init(_ workload: Workload, lab: Lab) {
        self.workload = workload
        self.lab = lab
    }

    /// Each run is a flow of its own to a port of its own, so that nothing is known of it.
    func measure(runs: Int) throws -> Times {
        let reader = try Follower(socket: workload.folder + "/agent.sock")
        defer { reader.stop() }
        // The command says nothing when it is heard; the agent hears it within this time.
        Thread.sleep(forTimeInterval: 1)
        var times = Times()
        for run in 0..<runs {
            let port = UInt16(20_000 + run)
            let sent = ContinuousClock.now
            try send(to: port)
            times.add(try reader.arrival(of: port) - sent)
            Thread.sleep(forTimeInterval: Double.random(in: 0.05...0.1))
        }
        return times
    }

    private func send(to port: UInt16) throws {
        let source = try lab.namespace("e0")
        let remote = SocketAddress(.v4(0x0a3c_0102), port: port)
        try source.run { () throws(SystemError) in
            let socket = try InternetSocket(.udp, .v4)
            try socket.connect(to: remote)
            do throws(SystemError) {
                _ = try socket.send([7])
            } catch  where error.code == EPERM {}
        }
    }
}

/// The command as a process of its own, and when which line came.
private final class Follower: Sendable {
    private let pid: pid_t
    private let arrivals = Mutex<[UInt16: ContinuousClock.Instant]>([:])

    init(socket: String) throws {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: CommandLine.arguments[0])
            .deletingLastPathComponent().appendingPathComponent("ringfence")
        process.arguments = [
            "violations", "--follow", "--output", "json", "--socket", socket,
        ]
        process.standardOutput = output
        try process.run()
        pid = process.processIdentifier
        Thread { [self] in read(output.fileHandleForReading) }.start()
    }

    private func read(_ file: FileHandle) {
        var rest = Data()
        while case let piece = file.availableData, !piece.isEmpty {
            let now = ContinuousClock.now
            rest += piece
            while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                let line = [UInt8](rest[..<end])
                rest = Data(rest[(end + 1)...])
                guard let port = try? ReportJSON.read(Violation.self, from: line).ports else {
                    continue
                }
                arrivals.withLock { $0[port.destination] = now }
            }
        }
    }

    func arrival(of port: UInt16) throws -> ContinuousClock.Instant {
        let deadline = ContinuousClock.now + .seconds(5)
        while ContinuousClock.now < deadline {
            if let moment = arrivals.withLock({ $0[port] }) { return moment }
            usleep(200)
        }
        throw BenchError("a refused flow was not told in 5 s")
    }

    func stop() { _ = kill(pid, SIGTERM) }
}
