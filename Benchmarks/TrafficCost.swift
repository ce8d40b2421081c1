import Foundation
import Glibc
import Lab
import Linux
import NetTypes

/// What both layers cost the traffic between two endpoints: one TCP connection, filled for a
/// second, then asked and answered for a second.
struct TrafficCost {
    struct Figures {
        /// Bytes a second.
        var throughput: Double
        /// Requests answered a second.
        var requests: Double
    }

    let lab: Lab
    let port: UInt16 = 5001
    let callee: IPAddress

    /// The better of several runs: the others were disturbed.
    func measure(runs: Int) throws -> Figures {
        var best = Figures(throughput: 0, requests: 0)
        for _ in 0..<runs {
            best.throughput = max(best.throughput, try run(isFilling: true))
            best.requests = max(best.requests, try run(isFilling: false))
        }
        return best
    }

    private func run(isFilling: Bool) throws -> Double {
        let listener = try socket(in: "e1")
        defer { close(listener) }
        var yes: CInt = 1
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<CInt>.size))
        try call("bind", on: listener) { bind(listener, $0, $1) }
        try check("listen") { listen(listener, 1) }
        let caller = try socket(in: "e0")
        defer { close(caller) }
        try call("connect", on: caller) { connect(caller, $0, $1) }
        let answerer = try check("accept") { accept(listener, nil, nil) }
        var noDelay: CInt = 1
        for end in [caller, answerer] {
            setsockopt(
                end, CInt(IPPROTO_TCP), TCP_NODELAY, &noDelay,
                socklen_t(MemoryLayout<CInt>.size))
        }
        Thread { Self.answer(answerer, isFilling: isFilling) }.start()
        let start = ContinuousClock.now
        let end = start + .seconds(1)
        var count = 0
        var buffer = [UInt8](repeating: 1, count: isFilling ? 1 << 17 : 1)
        while ContinuousClock.now < end {
            let sent = send(caller, buffer, buffer.count, CInt(MSG_NOSIGNAL))
            guard sent > 0 else { throw BenchError("the connection ended: \(errno)") }
            if !isFilling, recv(caller, &buffer, 1, 0) != 1 {
                throw BenchError("no answer came: \(errno)")
            }
            count += sent
        }
        let parts = (ContinuousClock.now - start).components
        shutdown(caller, CInt(SHUT_RDWR))
        return Double(count) / (Double(parts.seconds) + Double(parts.attoseconds) / 1e18)
    }

    private static func answer(_ socket: CInt, isFilling: Bool) {
        var buffer = [UInt8](repeating: 0, count: 1 << 17)
        while true {
            let count = recv(socket, &buffer, buffer.count, 0)
            if count <= 0 { break }
            if !isFilling { _ = send(socket, buffer, 1, CInt(MSG_NOSIGNAL)) }
        }
        close(socket)
    }

    private func socket(in name: String) throws -> CInt {
        try lab.namespace(name).run { () throws(SystemError) in
            try check("socket") { Glibc.socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0) }
        }
    }

    private func call(
        _ name: String, on socket: CInt,
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> CInt
    ) throws {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        inet_pton(AF_INET, callee.description, &address.sin_addr)
        try withUnsafePointer(to: &address) { pointer in
            try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                _ = try check(name) { body(generic, socklen_t(MemoryLayout<sockaddr_in>.size)) }
            }
        }
    }
}
