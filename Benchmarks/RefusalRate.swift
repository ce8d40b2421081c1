import API
import Foundation
import Glibc
import Lab
import Linux
import NetTypes
import Reports

/// How many packets a second can be refused, every one of them counted.
struct RefusalRate {
    private let workload: Workload
    private let lab: Lab
    private let source = 0
    /// Who is never called by the first.
    private let destination = 2
    private let port: UInt16 = 7777
    private let runs = 3

    init(_ workload: Workload, lab: Lab) {
        self.workload = workload
        self.lab = lab
    }

    /// Into a rule that counts and drops, where there is nothing else.
    func bare(tracked: Bool) throws -> Double {
        let condition = tracked ? "ct state new,invalid " : ""
        try nft(
            "add table inet bare; add chain inet bare out { type filter hook output priority 0; };"
                + "add rule inet bare out \(condition)udp dport \(port) counter drop")
        let (rate, sent) = try best(flows: 1)
        let listing = try nft("list table inet bare")
        guard listing.contains("counter packets \(sent) ") else {
            throw BenchError("\(sent) packets were sent, and nft says:\n\(listing)")
        }
        _ = try nft("delete table inet bare")
        return rate
    }

    /// Into the table of a running agent, which has to have counted every packet.
    func refused(flows: Int) async throws -> Double {
        let before = try await counted()
        let (rate, sent) = try best(flows: flows)
        // An endpoint that refuses is read a moment later, and asking reads it again.
        let after = try await counted()
        guard after - before == UInt64(sent) else {
            throw BenchError("\(sent) packets were refused, \(after - before) were counted")
        }
        return rate
    }

    /// Into the agent's table, whose chain for refused flows only counts and drops.
    ///
    /// It is what judging a packet takes, without the record of its flow. The agent has to be gone.
    func unrecorded() throws -> Double {
        try nft("flush chain inet ringfence refused; add rule inet ringfence refused counter drop")
        let (rate, sent) = try best(flows: 1)
        let after = try nft("list chain inet ringfence refused")
        guard after.contains("counter packets \(sent) ") else {
            throw BenchError("\(sent) packets were sent, and nft says:\n\(after)")
        }
        return rate
    }

    private func counted() async throws -> UInt64 {
        let report = try await APIClient(socketPath: workload.folder + "/agent.sock").counters()
        let pairs = report.refused.filter {
            $0.source == .tenant("t\(source)") && $0.destination == .tenant("t\(destination)")
        }
        return pairs.reduce(report.notRecorded.packets) { $0 + $1.counts.packets }
    }

    /// The best of some runs, and what all sent together.
    private func best(flows: Int) throws -> (rate: Double, sent: Int) {
        var result = (rate: 0.0, sent: 0)
        for _ in 0..<runs {
            let (rate, sent) = try flood(flows: flows)
            result = (max(result.rate, rate), result.sent + sent)
        }
        return result
    }

    /// One second of packets from one thread; a refusal is told to the sender.
    private func flood(flows: Int) throws -> (rate: Double, sent: Int) {
        let sockets = try (0..<flows).map { _ in try socket() }
        defer { for socket in sockets { close(socket) } }
        let payload = [UInt8](repeating: 7, count: 64)
        let start = ContinuousClock.now
        var sent = 0
        while ContinuousClock.now - start < .seconds(1) {
            for round in 0..<200 {
                let outcome = send(sockets[round % flows], payload, payload.count, 0)
                guard outcome < 0, errno == EPERM else {
                    throw BenchError("a packet was not refused: \(outcome), \(errno)")
                }
            }
            sent += 200
        }
        let time = (ContinuousClock.now - start).components
        return (Double(sent) / (Double(time.seconds) + Double(time.attoseconds) / 1e18), sent)
    }

    private func socket() throws -> CInt {
        let made = try lab.namespace("e\(source)").run { () throws(SystemError) in
            try check("socket") { Glibc.socket(AF_INET, CInt(SOCK_DGRAM.rawValue), 0) }
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        inet_pton(AF_INET, workload.address(destination), &address.sin_addr)
        try withUnsafePointer(to: &address) { pointer in
            try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                _ = try check("connect") {
                    connect(made, generic, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
        return made
    }

    @discardableResult
    private func nft(_ script: String) throws -> String {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "nsenter", "--net=" + lab.namespaceFolder + "/e\(source)", "nft", script,
        ]
        process.standardOutput = output
        try process.run()
        let text = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw BenchError("nft refused: \(script)") }
        return String(decoding: text, as: UTF8.self)
    }
}
