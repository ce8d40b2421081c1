import Foundation
import Lab
import Linux
import Synchronization

/// How long a saved rule takes to decide a packet's fate.
///
/// Numbered packets go out without a pause; what counts is when the first one arrives after the
/// rule was saved, and the last one after it was taken away.
struct ChangeLatency {
    private let workload: Workload
    private let lab: Lab
    private let file: Workload.File

    init(_ workload: Workload, lab: Lab, file: Workload.File) {
        self.workload = workload
        self.lab = lab
        self.file = file
    }

    func measure(runs: Int) async throws -> (opened: Times, closed: Times) {
        try workload.save(file, isOpen: false)
        let sender = try socket(in: "e\(workload.caller)")
        let receiver = try socket(in: "e\(workload.called)")
        try bind(receiver)
        let traffic = Traffic()
        let sending = Thread { Self.send(on: sender, to: target, while: traffic) }
        let receiving = Thread { Self.receive(on: receiver, while: traffic) }
        sending.start()
        receiving.start()
        var opened = Times()
        var closed = Times()
        for _ in 0..<runs {
            try await Task.sleep(for: .milliseconds(60))
            try opened.add(await change(to: true, traffic))
            try await Task.sleep(for: .milliseconds(60))
            try closed.add(await change(to: false, traffic))
        }
        traffic.isOver.store(true, ordering: .relaxed)
        // The receiver's port is free when its thread has seen the end.
        try await Task.sleep(for: .milliseconds(100))
        return (opened, closed)
    }

    private func change(to isOpen: Bool, _ traffic: Traffic) async throws -> Duration {
        traffic.forget()
        let start = ContinuousClock.now
        try workload.save(file, isOpen: isOpen)
        try await Task.sleep(for: .milliseconds(300))
        let arrivals = traffic.arrivals
        if isOpen {
            guard let first = arrivals.first else {
                throw BenchError("an allowed flow got nothing through")
            }
            return first - start
        }
        guard let last = arrivals.last else { return .zero }
        guard last - start < .milliseconds(290) else {
            throw BenchError("a revoked flow still got packets through")
        }
        return last - start
    }

    private var target: sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = Workload.probePort.bigEndian
        inet_pton(AF_INET, workload.address(workload.called), &address.sin_addr)
        return address
    }

    private func socket(in name: String) throws -> CInt {
        try lab.namespace(name).run { () throws(SystemError) in
            try check("socket") { Glibc.socket(AF_INET, CInt(SOCK_DGRAM.rawValue), 0) }
        }
    }

    private func bind(_ socket: CInt) throws {
        var address = target
        try withUnsafePointer(to: &address) { pointer in
            try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                _ = try check("bind") {
                    Glibc.bind(socket, generic, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
        var wait = timeval(tv_sec: 0, tv_usec: 20_000)
        setsockopt(
            socket, SOL_SOCKET, SO_RCVTIMEO, &wait, socklen_t(MemoryLayout<timeval>.size))
    }

    private static func send(on socket: CInt, to target: sockaddr_in, while traffic: Traffic) {
        var address = target
        var number: UInt64 = 0
        while !traffic.isOver.load(ordering: .relaxed) {
            number += 1
            withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                    _ = sendto(
                        socket, &number, 8, 0, generic,
                        socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            // Faster, and on two processors the sender takes half of what the agent could use.
            usleep(200)
        }
        close(socket)
    }

    private static func receive(on socket: CInt, while traffic: Traffic) {
        var number: UInt64 = 0
        while !traffic.isOver.load(ordering: .relaxed) {
            if recv(socket, &number, 8, 0) == 8 { traffic.arrived() }
        }
        close(socket)
    }
}

/// What the threads share.
final class Traffic: Sendable {
    let isOver = Atomic(false)
    private let moments = Mutex<[ContinuousClock.Instant]>([])

    func arrived() {
        let now = ContinuousClock.now
        moments.withLock { $0.append(now) }
    }

    func forget() { moments.withLock { $0 = [] } }

    var arrivals: [ContinuousClock.Instant] { moments.withLock { $0 } }
}
