public import Linux
import NetTypes
import Synchronization

/// Sends numbered UDP packets from one namespace to another without a pause until it is stopped.
///
/// The receiver sends each one back. Three threads work: the sender, the receiver and the reader
/// of what comes back; all of it is one flow.
public struct NumberedTraffic: ~Copyable {
    private let records: TrafficRecords
    private let sender: BackgroundThread
    private let receiver: BackgroundThread
    private let reader: BackgroundThread

    /// Opens the sockets in the namespaces and begins, so many packets a second.
    ///
    /// The target is the receiver's own address unless a translation has another for it.
    public init(
        from source: borrowing NetworkNamespace, to destination: borrowing NetworkNamespace,
        at address: SocketAddress, calling target: SocketAddress? = nil, rate: Int = 10_000
    ) throws(SystemError) {
        let records = TrafficRecords()
        let sign = StopSign()
        let listening = try destination.run { () throws(SystemError) in
            let socket = try InternetSocket(.udp, address.address.family)
            try socket.bind(to: address)
            return socket
        }
        let target = target ?? address
        let calling = try source.run { () throws(SystemError) in
            let socket = try InternetSocket(.udp, target.address.family)
            try socket.connect(to: target)
            return socket
        }
        // A second descriptor of the socket, so that each thread owns its own.
        let returning = InternetSocket(owning: try calling.descriptor.duplicate())
        let receiver = try records.receive(on: listening, until: sign)
        let reader = try records.readAnswers(on: returning, until: sign)
        let sender = try records.send(on: calling, rate: rate, until: sign)
        self.records = records
        self.receiver = receiver
        self.sender = sender
        self.reader = reader
    }

    /// What is known so far, without stopping.
    public var report: TrafficReport { records.report }

    /// Stops the sender, waits for what is still under way, and reports.
    public consuming func stop() -> TrafficReport {
        let records = records
        end()
        return records.report
    }

    /// Going away ends the threads, and waits for them.
    private consuming func end() {}
}
