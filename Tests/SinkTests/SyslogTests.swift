import Foundation
import Glibc
import Linux
import NetTypes
import Reports
import Testing

@testable import Sinks

/// Servers on real sockets of this machine.
@Suite struct SyslogTests {
    /// The parts of RFC 5424's header, and the line.
    private func check(_ message: String, is number: UInt16) {
        let parts = message.split(separator: " ", maxSplits: 7).map(String.init)
        guard parts.count == 8 else {
            Issue.record("no message of RFC 5424: \(message)")
            return
        }
        // daemon is 3, a warning 4.
        #expect(parts[0] == "<28>1")
        #expect(parts[1] == "2026-01-02T03:04:05.678Z")
        #expect(!parts[2].isEmpty)
        #expect(parts[3] == "ringfence")
        #expect(parts[4] == "\(getpid())")
        #expect(parts[5] == "violation")
        #expect(parts[6] == "-")
        #expect(Samples.number(parts[7]) == number)
    }

    @Test func `datagrams to the local socket`() throws {
        try Samples.withFolder { folder in
            let path = folder + "/log"
            let sinks = try SinkSet([
                SinkOptions(.syslog(.unix(path: path), facility: .daemon))
            ])
            sinks.tell(7..<9)
            // Nobody listens yet: nothing is lost.
            #expect(Samples.wait { sinks.status.first?.problem != nil })
            let server = try Receiver(path: path)
            check(try #require(server.message()), is: 7)
            check(try #require(server.message()), is: 8)
            #expect(Samples.wait { sinks.status.first?.written == 2 })
            #expect(sinks.status.first?.problem == nil)
            sinks.finish()
        }
    }

    @Test func `datagrams over UDP`() throws {
        let (server, port) = try Receiver.udp()
        let sinks = try SinkSet([
            SinkOptions(.syslog(.udp(host: "127.0.0.1", port: port), facility: .daemon))
        ])
        sinks.tell(1..<4)
        for number in UInt16(1)..<4 { check(try #require(server.message()), is: number) }
        sinks.finish()
    }

    @Test func `counted messages over TCP, and a server that comes back`() throws {
        let listener = try Receiver.tcp()
        let sinks = try SinkSet([
            SinkOptions(
                .syslog(.tcp(host: "127.0.0.1", port: listener.port), facility: .daemon))
        ])
        sinks.tell(1..<3)
        var connection: Receiver? = try listener.receiver.accepted()
        check(try #require(connection?.countedMessage()), is: 1)
        check(try #require(connection?.countedMessage()), is: 2)
        // What is sent into a connection that the server has closed is nobody's to know about:
        // the kernel takes it, and only the next write fails.
        connection = nil
        usleep(50_000)
        sinks.tell(3..<4)
        usleep(50_000)
        sinks.tell(4..<6)
        connection = try listener.receiver.accepted()
        check(try #require(connection?.countedMessage()), is: 4)
        check(try #require(connection?.countedMessage()), is: 5)
        sinks.finish()
    }

    @Test func `a server that never reads costs records, and nobody's time`() throws {
        try Samples.withFolder { folder in
            let path = folder + "/log"
            let server = try Receiver(path: path)
            let sinks = try SinkSet([
                SinkOptions(
                    .syslog(.unix(path: path), facility: .daemon), queue: 100, rate: 0)
            ])
            let start = ContinuousClock.now
            sinks.tell(0..<5000)
            // A write to it would take five seconds to fail.
            #expect(ContinuousClock.now - start < .seconds(2))
            let status = try #require(sinks.status.first)
            #expect(status.waiting <= 100)
            #expect(status.lost.full > 3000)
            #expect(status.written + status.waiting + status.lost.total == 5000)
            // Who reads at last is told that something is missing.
            var told = ""
            #expect(
                Samples.wait {
                    while let message = server.message(waiting: 0) { told += message + "\n" }
                    return sinks.status.first?.waiting == 0
                })
            while let message = server.message(waiting: 0) { told += message + "\n" }
            #expect(told.contains(#""event":"lost","record":{"lost":"#))
            sinks.finish()
        }
    }

    @Test func `what is too large for a datagram is counted, and the rest goes on`() throws {
        let (server, port) = try Receiver.udp()
        let sinks = try SinkSet([
            SinkOptions(.syslog(.udp(host: "127.0.0.1", port: port), facility: .daemon))
        ])
        sinks.tell(
            .errors([String(repeating: "x", count: 70_000)]), at: Samples.moment)
        sinks.tell(5..<6)
        // The notice of the loss comes first.
        #expect(try #require(server.message()).contains(#""lost":1"#))
        check(try #require(server.message()), is: 5)
        #expect(Samples.wait { sinks.status.first?.lost == SinkLosses(failed: 1) })
        sinks.finish()
    }

    @Test func `more than the rate allows is counted`() throws {
        try Samples.withFolder { folder in
            let sinks = try SinkSet([
                SinkOptions(
                    .file(path: folder + "/a", maxBytes: 1 << 20, keep: 1), rate: 50)
            ])
            sinks.tell(0..<1000)
            sinks.finish(within: .seconds(10))
            let status = try #require(sinks.status.first)
            #expect((50..<500).contains(status.written))
            #expect(status.written + status.lost.limited == 1000)
        }
    }

    @Test(
        arguments: [
            ("unix:/dev/log", .unix(path: "/dev/log")),
            ("udp:logs.example:514", .udp(host: "logs.example", port: 514)),
            ("tcp:[::1]:601", .tcp(host: "::1", port: 601)),
            ("/dev/log", nil), ("unix:dev/log", nil), ("udp:host", nil), ("tcp:::1:601", nil),
            ("udp:host:0", nil), ("udp:host:0514", nil), ("tcp::601", nil), ("http:host:80", nil),
            ("unix:/" + String(repeating: "a", count: 107), nil),
        ] as [(String, SyslogAddress?)]
    )
    func `addresses`(_ text: String, _ address: SyslogAddress?) {
        #expect(SyslogAddress(parsing: text) == address)
        if let address { #expect("\(address)" == text) }
    }
}
