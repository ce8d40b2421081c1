import Glibc
public import Linux
import NetTypes
import Synchronization

/// One TCP connection that carries data without a pause until it is stopped.
public struct SteadyTransfer: ~Copyable {
    /// What became of it.
    public struct Report: Hashable, Sendable {
        public var sent = 0
        public var received = 0
        /// The longest time, in nanoseconds, in which nothing came in.
        public var longestPause: TrafficReport.Instant = 0
        /// When data last came in.
        public var lastArrival: TrafficReport.Instant = 0
        /// Why it broke; nil as long as it hasn't.
        public var failure: SystemError?
    }

    private let records: TransferRecords
    private let sender: BackgroundThread
    private let receiver: BackgroundThread

    /// Connects and begins; `ETIMEDOUT` when there is no connection within two seconds.
    public init(
        from source: borrowing NetworkNamespace, to destination: borrowing NetworkNamespace,
        at address: SocketAddress, calling target: SocketAddress? = nil
    ) throws(SystemError) {
        let listener = try destination.run { () throws(SystemError) in
            let socket = try InternetSocket(.tcp, address.address.family)
            try socket.bind(to: address)
            try socket.listen()
            return socket
        }
        let target = target ?? address
        let client = try source.run { () throws(SystemError) in
            let socket = try InternetSocket(.tcp, target.address.family)
            try socket.connect(to: target)
            return socket
        }
        let server = try listener.firstConnection(within: .seconds(2))
        let records = TransferRecords()
        let sign = StopSign()
        let receiver = try records.receive(on: server, until: sign)
        let sender = try records.send(on: client, until: sign)
        self.records = records
        self.receiver = receiver
        self.sender = sender
    }

    /// What is known so far, without stopping.
    public var report: Report { records.report }

    /// Stops and reports.
    public consuming func stop() -> Report {
        let records = records
        end()
        return records.report
    }

    /// Going away ends the threads, and waits for them.
    private consuming func end() {}
}

extension InternetSocket {
    fileprivate borrowing func firstConnection(
        within patience: Duration
    ) throws(SystemError) -> InternetSocket {
        let poller = try Poller()
        try poller.add(descriptor.rawValue, token: 1)
        let end = ContinuousClock.now + patience
        while ContinuousClock.now < end {
            _ = try poller.wait(milliseconds: 20)
            if let connection = try accept() { return connection }
        }
        throw SystemError("accept4", code: ETIMEDOUT)
    }
}

/// What the threads of a transfer write down.
private final class TransferRecords: Sendable {
    private let state = Mutex(SteadyTransfer.Report())

    var report: SteadyTransfer.Report { state.withLock { $0 } }

    func send(
        on socket: consuming InternetSocket, until sign: StopSign
    ) throws(SystemError) -> BackgroundThread {
        let socket = Shared(socket)
        return try BackgroundThread(until: sign) {
            let block = [UInt8](repeating: 0x72, count: 4_096)
            while !sign.isRaised {
                do throws(SystemError) {
                    let count = try socket.value.send(block)
                    self.state.withLock { $0.sent += count }
                } catch {
                    self.state.withLock { $0.failure = error }
                    return
                }
                // A steady stream, not as much as the machine can.
                TrafficReport.sleep(until: TrafficReport.now + 200_000)
            }
        }
    }

    func receive(
        on socket: consuming InternetSocket, until sign: StopSign
    ) throws(SystemError) -> BackgroundThread {
        let socket = Shared(socket)
        state.withLock { $0.lastArrival = TrafficReport.now }
        return try BackgroundThread(until: sign) {
            socket.serve(until: sign) {
                guard let bytes = (try? socket.value.receive(atMost: 64 << 10)) ?? nil,
                    !bytes.isEmpty
                else { return false }
                let now = TrafficReport.now
                self.state.withLock {
                    $0.longestPause = max($0.longestPause, now - $0.lastArrival)
                    $0.lastArrival = now
                    $0.received += bytes.count
                }
                return true
            }
        }
    }
}
