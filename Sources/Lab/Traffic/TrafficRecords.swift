import Glibc
import Linux
import NetTypes
import Synchronization

/// What the threads of numbered traffic write down.
final class TrafficRecords: Sendable {
    private struct State {
        var sent: [TrafficReport.Instant] = []
        var refused: Set<Int> = []
        var received: [Int: TrafficReport.Instant] = [:]
        var answered: [Int: TrafficReport.Instant] = [:]
        var duplicates = 0
    }

    private let state = Mutex(State())

    var report: TrafficReport {
        state.withLock {
            TrafficReport(
                sent: $0.sent, refused: $0.refused, received: $0.received, answered: $0.answered,
                duplicates: $0.duplicates)
        }
    }

    func send(
        on socket: consuming InternetSocket, rate: Int, until sign: StopSign
    ) throws(SystemError) -> BackgroundThread {
        let socket = Shared(socket)
        let step = UInt64(1_000_000_000 / max(rate, 1))
        return try BackgroundThread(until: sign) {
            var next = TrafficReport.now
            var number = 0
            while !sign.isRaised {
                self.sendOne(number, on: socket)
                number += 1
                next += step
                if next > TrafficReport.now { TrafficReport.sleep(until: next) }
            }
        }
    }

    private func sendOne(_ number: Int, on socket: Shared) {
        // Written down before it goes: its arrival may be written down before the call returns.
        state.withLock { $0.sent.append(TrafficReport.now) }
        let bytes = withUnsafeBytes(of: UInt64(number).bigEndian) { Array($0) }
        if ((try? socket.value.send(bytes)) ?? 0) != bytes.count {
            state.withLock { _ = $0.refused.insert(number) }
        }
    }

    func receive(
        on socket: consuming InternetSocket, until sign: StopSign
    ) throws(SystemError) -> BackgroundThread {
        let socket = Shared(socket)
        return try BackgroundThread(until: sign) {
            socket.serve(until: sign) {
                guard let (bytes, sender) = try? socket.value.receiveFrom() else { return false }
                let now = TrafficReport.now
                let number = Int(UInt64(networkBytes: bytes.prefix(8)))
                self.state.withLock { state in
                    if state.received[number] == nil {
                        state.received[number] = now
                    } else {
                        state.duplicates += 1
                    }
                }
                // Whether the way back is open is the reader's finding.
                _ = try? socket.value.send(bytes, to: sender)
                return true
            }
        }
    }

    func readAnswers(
        on socket: consuming InternetSocket, until sign: StopSign
    ) throws(SystemError) -> BackgroundThread {
        let socket = Shared(socket)
        return try BackgroundThread(until: sign) {
            socket.serve(until: sign) {
                guard let bytes = (try? socket.value.receive()) ?? nil else { return false }
                let number = Int(UInt64(networkBytes: bytes.prefix(8)))
                self.state.withLock { state in
                    if state.answered[number] == nil { state.answered[number] = TrafficReport.now }
                }
                return true
            }
        }
    }
}

/// A socket that a thread's closure can hold.
final class Shared: Sendable {
    let value: InternetSocket

    init(_ value: consuming InternetSocket) { self.value = value }

    /// Serves until the sign is up and nothing more has come for 50 ms.
    func serve(until sign: StopSign, _ takeOne: () -> Bool) {
        var entry = pollfd(fd: value.descriptor.rawValue, events: Int16(POLLIN), revents: 0)
        while true {
            let wasUp = sign.isRaised
            let isReady = poll(&entry, 1, 50) > 0
            var took = false
            while isReady, takeOne() { took = true }
            if wasUp, !took { return }
        }
    }
}
