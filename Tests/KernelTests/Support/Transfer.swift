import Foundation
import Glibc
import Linux
import NetTypes
import Synchronization

/// A TCP connection from `a1` to `b1` over which a pattern of bytes flows without a pause.
final class Transfer: Sendable {
    private let state = Mutex(State())

    private struct State {
        var isStopping = false
        var progress = Progress()
    }

    /// What came of it so far.
    struct Progress: Sendable {
        var sent = 0
        var received = 0
        /// Whether every byte was the one that belonged there.
        var isIntact = true
        /// When the last byte was received.
        var lastReceived: UInt64 = 0
    }

    private init() {}

    var progress: Progress { state.withLock { $0.progress } }

    /// Connects, to an address that the host translates if told, lets bytes flow while the work is
    /// done, and ends it whatever happens.
    static func with(
        _ family: AddressFamily, port: UInt16, through service: IPAddress? = nil, in rig: Rig,
        _ work: (Transfer) async throws -> Void
    ) async throws {
        let transfer = Transfer()
        let remote = SocketAddress(try rig.address("b1", family), port: port)
        let listener = try rig.namespace("b1").run { () throws(SystemError) in
            try SharedSocket(.tcp, family) { (socket) throws(SystemError) in
                try socket.bind(to: remote)
                try socket.listen()
            }
        }
        let called = service.map { SocketAddress($0, port: port) } ?? remote
        let caller = try rig.namespace("a1").run { () throws(SystemError) in
            try SharedSocket(.tcp, family) { (socket) throws(SystemError) in
                try socket.connect(to: called)
            }
        }
        let receiver = Worker { try transfer.receive(on: listener.socket) }
        let sender = Worker { try transfer.send(on: caller.socket) }
        defer { transfer.state.withLock { $0.isStopping = true } }
        try await wait(for: "the first bytes") { transfer.progress.received > 100_000 }
        try await work(transfer)
        transfer.state.withLock { $0.isStopping = true }
        try await sender.value()
        try await receiver.value()
    }

    /// Waits until a good deal more has arrived.
    func goOn() async throws {
        let before = progress.received
        try await wait(for: "more bytes") { progress.received > before + 500_000 }
    }

    private static let pattern = (0..<251 * 300).map { UInt8($0 % 251) }

    private func send(on socket: borrowing InternetSocket) throws {
        var polled = pollfd(fd: socket.descriptor.rawValue, events: Int16(POLLOUT), revents: 0)
        while !state.withLock({ $0.isStopping }) {
            guard try check("poll", { poll(&polled, 1, 10) }) > 0 else { continue }
            let start = progress.sent % 251
            let count = try socket.send(Self.pattern[start..<start + 4_000])
            state.withLock { $0.progress.sent += count }
            usleep(200)
        }
    }

    private func receive(on listener: borrowing InternetSocket) throws {
        var polled = pollfd(fd: listener.descriptor.rawValue, events: Int16(POLLIN), revents: 0)
        while !state.withLock({ $0.isStopping }) {
            guard try check("poll", { poll(&polled, 1, 10) }) > 0,
                let connection = try listener.accept()
            else { continue }
            return try read(connection)
        }
    }

    private func read(_ connection: borrowing InternetSocket) throws {
        var polled = pollfd(fd: connection.descriptor.rawValue, events: Int16(POLLIN), revents: 0)
        while true {
            guard try check("poll", { poll(&polled, 1, 50) }) > 0 else {
                if state.withLock({ $0.isStopping }) { return }
                continue
            }
            guard let bytes = try connection.receive(atMost: 65_536), !bytes.isEmpty else { return }
            let time = monotonicTime()
            let start = progress.received % 251
            let isRight = Self.pattern.withUnsafeBytes { pattern in
                pattern.baseAddress.map { memcmp(bytes, $0 + start, bytes.count) == 0 } ?? false
            }
            state.withLock { state in
                state.progress.received += bytes.count
                state.progress.lastReceived = time
                state.progress.isIntact = state.progress.isIntact && isRight
            }
        }
    }
}
