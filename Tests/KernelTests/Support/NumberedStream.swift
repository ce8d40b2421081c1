import Foundation
import Glibc
import Linux
import NetTypes
import Synchronization

/// Numbered UDP packets that are sent without a pause, and those of them that arrived.
///
/// Whoever waits until the expected comes true sees no leak: only traffic across the change does.
final class NumberedStream: Sendable {
    private let ends: Ends
    private let sender: Worker<[Sent]>
    private let receiver: Worker<[UInt64: Int]>

    /// How packets are spread over flows.
    enum Flows: Sendable, CaseIterable {
        /// All from one port.
        case one
        /// Each from a port of its own.
        case many

        var perSecond: UInt64 { self == .one ? 6_000 : 1_000 }
    }

    /// One packet, as its sender saw it.
    struct Sent: Sendable {
        /// Just before the system call.
        let time: UInt64
        /// What the system call answered: EPERM where the own endpoint refused.
        let error: CInt
    }

    init(
        from source: String, to destination: String, _ family: AddressFamily, port: UInt16,
        _ flows: Flows = .one, in rig: Rig
    ) throws {
        let ends = Ends(
            local: try rig.address(source, family),
            remote: SocketAddress(try rig.address(destination, family), port: port), flows: flows)
        let listener = try rig.namespace(destination).run { () throws(SystemError) in
            try Listener(at: ends.remote)
        }
        let place = try rig.path(source)
        self.ends = ends
        receiver = Worker { try ends.receive(listener.socket) }
        sender = Worker {
            try NetworkNamespace(at: place).run { () throws(SystemError) in try ends.send() }
        }
    }

    /// Ends the traffic and tells what became of it.
    func finish() async throws -> StreamRecord {
        ends.stage.withLock { $0 = .stopping }
        let sent = try await sender.value()
        ends.stage.withLock { $0 = .sent }
        return StreamRecord(sent: sent, arrivals: try await receiver.value())
    }

    deinit { ends.stage.withLock { $0 = .sent } }
}

/// What the two threads of a stream share.
private final class Ends: Sendable {
    enum Stage {
        case running
        case stopping
        case sent
    }

    let local: IPAddress
    let remote: SocketAddress
    let flows: NumberedStream.Flows
    let stage = Mutex(Stage.running)

    init(local: IPAddress, remote: SocketAddress, flows: NumberedStream.Flows) {
        self.local = local
        self.remote = remote
        self.flows = flows
    }

    /// Sends what is due every 100 us; what a busy machine held up is sent a little at a time.
    func send() throws(SystemError) -> [NumberedStream.Sent] {
        var sent: [NumberedStream.Sent] = []
        var socket = try opened()
        let start = monotonicTime()
        var skipped: UInt64 = 0
        while stage.withLock({ $0 }) == .running {
            let due = (monotonicTime() - start) * flows.perSecond / 1_000_000_000 - skipped
            let behind = due - min(due, UInt64(sent.count))
            skipped += behind - min(behind, 32)
            for _ in 0..<min(behind, 32) {
                if flows == .many { socket = try opened() }
                sent.append(send(UInt64(sent.count), with: socket))
            }
            usleep(100)
        }
        return sent
    }

    private func opened() throws(SystemError) -> InternetSocket {
        let socket = try InternetSocket(.udp, local.family)
        try socket.bind(to: SocketAddress(local, port: 0))
        try socket.connect(to: remote)
        return socket
    }

    private func send(
        _ number: UInt64, with socket: borrowing InternetSocket
    ) -> NumberedStream.Sent {
        let time = monotonicTime()
        do throws(SystemError) {
            let count = try socket.send(number.networkBytes)
            return .init(time: time, error: count == 8 ? 0 : EAGAIN)
        } catch {
            return .init(time: time, error: error.code)
        }
    }

    /// How often each number came, until nothing has come for a while after the last was sent.
    func receive(_ socket: borrowing InternetSocket) throws -> [UInt64: Int] {
        var arrivals: [UInt64: Int] = [:]
        var polled = pollfd(fd: socket.descriptor.rawValue, events: Int16(POLLIN), revents: 0)
        while true {
            let isSent = stage.withLock { $0 } == .sent
            let count = try check("poll") { poll(&polled, 1, 20) }
            if count == 0, isSent { return arrivals }
            while let bytes = try socket.receive(atMost: 64) {
                arrivals[UInt64(networkBytes: bytes), default: 0] += 1
            }
        }
    }
}

/// What became of a stream.
struct StreamRecord: Sendable {
    let sent: [NumberedStream.Sent]
    /// By number: how often it came.
    let arrivals: [UInt64: Int]

    /// Numbers whose packet was sent in a span of time.
    func numbers(_ span: some RangeExpression<UInt64>) -> [UInt64] {
        sent.indices.filter { span.contains(sent[$0].time) }.map(UInt64.init)
    }

    /// Those that arrived of what was sent in a span of time.
    func arrived(_ span: some RangeExpression<UInt64>) -> [UInt64] {
        numbers(span).filter { arrivals[$0] != nil }
    }

    /// Those that did not.
    func lost(_ span: some RangeExpression<UInt64>) -> [UInt64] {
        numbers(span).filter { arrivals[$0] == nil }
    }

    /// When the last packet was sent that arrived.
    var lastArrived: UInt64? { arrivals.keys.max().map { sent[Int($0)].time } }

    /// When the first packet was sent that arrived.
    var firstArrived: UInt64? { arrivals.keys.min().map { sent[Int($0)].time } }

    var duplicates: Int { arrivals.values.filter { $0 > 1 }.count }
}

/// A socket that two threads can hand on.
private final class Listener: Sendable {
    let socket: InternetSocket

    init(at local: SocketAddress) throws(SystemError) {
        socket = try InternetSocket(.udp, local.address.family)
        try socket.setReceiveBuffer()
        try socket.bind(to: local)
    }
}

extension InternetSocket {
    /// Room for everything that comes while the receiver has no processor.
    borrowing func setReceiveBuffer() throws(SystemError) {
        var size: CInt = 64 << 20
        try check("setsockopt", on: "SO_RCVBUFFORCE") {
            setsockopt(
                descriptor.rawValue, SOL_SOCKET, SO_RCVBUFFORCE, &size,
                socklen_t(MemoryLayout<CInt>.size))
        }
    }
}
