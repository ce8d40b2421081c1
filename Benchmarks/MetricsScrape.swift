import Foundation
import Glibc

/// What a scrape takes, over the agent's socket, until the last byte is there.
struct MetricsScrape {
    private let path: String

    init(socket: String) { path = socket }

    func measure(runs: Int) async throws -> (times: Times, bytes: Int) {
        var times = Times()
        var bytes = 0
        for _ in 0..<runs {
            let start = ContinuousClock.now
            bytes = try scrape()
            times.add(ContinuousClock.now - start)
            try await Task.sleep(for: .milliseconds(500))
        }
        return (times, bytes)
    }

    private func scrape() throws -> Int {
        let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let outcome = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard outcome == 0 else { throw BenchError("the agent can't be reached: \(errno)") }
        let request = "GET /metrics HTTP/1.1\r\nHost: ringfence\r\nConnection: close\r\n\r\n"
        _ = send(descriptor, request, request.utf8.count, CInt(MSG_NOSIGNAL))
        var buffer = [UInt8](repeating: 0, count: 1 << 18)
        var head: [UInt8] = []
        var total = 0
        while case let count = recv(descriptor, &buffer, buffer.count, 0), count > 0 {
            if head.count < 15 { head += buffer.prefix(min(count, 15)) }
            total += count
        }
        guard String(decoding: head, as: UTF8.self).hasPrefix("HTTP/1.1 200") else {
            throw BenchError("/metrics was not answered")
        }
        return total
    }
}
