import Foundation
import Glibc
import Reports
import ServiceLifecycle
import Testing

@testable import API

struct LoopbackTests {
    @Test(
        arguments: [
            ("127.0.0.1:9464", "127.0.0.1:9464"), ("127.5.0.1:1", "127.5.0.1:1"),
            ("[::1]:65535", "[::1]:65535"), ("0.0.0.0:9464", nil), ("192.0.2.1:9464", nil),
            ("[::]:9464", nil), ("::1:9464", nil), ("[127.0.0.1]:9464", nil), ("localhost:1", nil),
            ("127.0.0.1:0", nil), ("127.0.0.1:65536", nil), ("127.0.0.1:+1", nil),
            ("127.0.0.1", nil), (":9464", nil), ("", nil),
        ] as [(String, String?)])
    func `only loopback addresses can be listened on`(_ text: String, _ address: String?) {
        #expect(LoopbackAddress(parsing: text)?.description == address)
    }

    @Test(
        arguments: [
            ("127.0.0.1", true), ("127.0.0.1:9464", true), ("localhost", true),
            ("LOCALHOST:80", true), ("[::1]", true), ("[::1]:9464", true),
            ("attacker.example", false), ("attacker.example:9464", false),
            ("127.0.0.1.attacker.example", false), ("localhost.attacker.example", false),
            ("192.0.2.1:9464", false), ("127.0.0.1:9464.attacker.example", false), ("", false),
            ("::1", false), ("[::1", false), ("127.0.0.1@attacker.example", false),
        ])
    func `a host of another name is not this one`(_ host: String, _ isThisOne: Bool) {
        #expect(LoopbackAddress.isNamed(by: host) == isThisOne)
    }

    @Test(
        arguments: [
            ("GET", "/v1/status", "127.0.0.1", 200), ("GET", "/metrics", "localhost:1", 200),
            ("GET", "/v1/status", "attacker.example", 421),
            ("GET", "/v1/status", nil, 421), ("POST", "/v1/status", "127.0.0.1", 405),
            ("HEAD", "/v1/status", "127.0.0.1", 405), ("OPTIONS", "/", "127.0.0.1", 405),
            ("DELETE", "/nowhere", "127.0.0.1", 405), ("GET", "/nowhere", "127.0.0.1", 404),
        ] as [(String, String, String?, Int)])
    func `answers`(_ method: String, _ path: String, _ host: String?, _ status: Int) async throws {
        try await withLoopback { port in
            let head = host.map { "Host: \($0)\r\n" } ?? ""
            let answer = try await ask(
                port, "\(method) \(path) HTTP/1.1\r\n\(head)Connection: close\r\n\r\n")

            #expect(answer.hasPrefix("HTTP/1.1 \(status) "))
            let lower = answer.lowercased()
            #expect(lower.contains("\r\nx-content-type-options: nosniff\r\n"))
            #expect(lower.contains("\r\ncross-origin-resource-policy: same-origin\r\n"))
            #expect(!lower.contains("access-control-allow"))
            if status == 405 { #expect(lower.contains("\r\nallow: get\r\n")) }
        }
    }

    @Test func `the document has what the port takes and no more`() async throws {
        try await withLoopback { port in
            let answer = try await ask(
                port,
                "GET /openapi.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            #expect(answer.contains("/v1/violations"))
            #expect(!answer.contains("\"post\""))
            for path in Routes.postPaths { #expect(!answer.contains(path)) }
        }
    }

    @Test func `a port that is taken is tried again until it is free`() async throws {
        let taken = try Listener()
        try await withLoopback(port: taken.port, isThere: false) { port in
            try await Task.sleep(for: .milliseconds(50))
            taken.close()
            try await eventually {
                (try? await ask(port, Self.request))?.hasPrefix("HTTP/1.1 200 ") == true
            }
        }
    }

    @Test(
        arguments: [
            ("", "text/plain"), ("*/*", "text/plain"), ("text/plain", "text/plain"),
            ("application/openmetrics-text", "application/openmetrics-text"),
            ("application/openmetrics-text;version=2.0.0", "text/plain"),
            ("application/openmetrics-text;q=0.1, text/plain;q=0.9", "text/plain"),
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
                    + "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
                "application/openmetrics-text"
            ),
        ])
    func `metrics come in the form that is wanted`(_ accept: String, _ type: String) {
        let form = MetricsForm(accepting: accept)
        #expect(form.contentType.hasPrefix(type + ";"))
    }

    private static let request =
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

    private func withLoopback(
        port: UInt16? = nil, isThere: Bool = true, _ body: (UInt16) async throws -> Void
    ) async throws {
        let port = try port ?? Listener.freePort()
        let address = try #require(LoopbackAddress(parsing: "127.0.0.1:\(port)"))
        let server = LoopbackServer(
            address: address, agent: FakeAgent(), retry: .milliseconds(10), logger: quiet)
        let group = ServiceGroup(services: [server], logger: quiet)
        let running = Task { try await group.run() }
        do {
            if isThere {
                try await eventually { (try? await ask(port, Self.request)) != nil }
            }
            try await body(port)
        } catch {
            await group.triggerGracefulShutdown()
            try await running.value
            throw error
        }
        await group.triggerGracefulShutdown()
        try await running.value
    }

    /// Sends bytes as they are, and reads to the end, on a thread of its own: the server needs those
    /// that tasks share.
    private func ask(_ port: UInt16, _ request: String) async throws -> String {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread {
                continuation.resume(with: Result { try Self.exchange(port, request) })
            }
        }
    }

    private static func exchange(_ port: UInt16, _ request: String) throws -> String {
        let socket = try Socket()
        defer { socket.close() }
        guard socket.withAddress(port, { connect(socket.descriptor, $0, $1) }) == 0 else {
            throw TooLate()
        }
        _ = send(socket.descriptor, request, request.utf8.count, CInt(MSG_NOSIGNAL))
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = recv(socket.descriptor, &buffer, buffer.count, 0)
            guard count > 0 else { break }
            answer += buffer.prefix(count)
        }
        return String(decoding: answer, as: UTF8.self)
    }
}

/// A TCP socket of the loopback interface.
private struct Socket {
    let descriptor: CInt

    init() throws {
        descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw POSIXError(.EIO) }
        var patience = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(
            descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience,
            socklen_t(MemoryLayout<timeval>.size))
    }

    func withAddress(
        _ port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> CInt
    ) -> CInt {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    func close() { _ = Glibc.close(descriptor) }
}

/// Holds a port.
private struct Listener {
    private let socket: Socket
    let port: UInt16

    init() throws {
        let socket = try Socket()
        guard socket.withAddress(0, { bind(socket.descriptor, $0, $1) }) == 0,
            listen(socket.descriptor, 1) == 0
        else { throw POSIXError(.EIO) }
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let outcome = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                getsockname(socket.descriptor, $0, &length)
            }
        }
        guard outcome == 0 else { throw POSIXError(.EIO) }
        self.socket = socket
        port = UInt16(bigEndian: address.sin_port)
    }

    static func freePort() throws -> UInt16 {
        let listener = try Listener()
        defer { listener.close() }
        return listener.port
    }

    func close() { socket.close() }
}
