internal import Glibc
public import Linux
public import NetTypes
public import Reports

/// All sinks of an agent.
public final class SinkSet: Sendable {
    private let sinks: [Sink]

    /// Starts a thread for each; what they write to is opened with the first record.
    public init(_ options: [SinkOptions]) throws(SystemError) {
        var sinks: [Sink] = []
        for one in options { sinks.append(try Sink(one)) }
        self.sinks = sinks
    }

    /// Hands an event to each sink that is asked for its kind; never waits.
    ///
    /// - Parameters:
    ///   - event: What happened.
    ///   - time: When.
    public func tell(_ event: AgentEvent, at time: Timestamp) {
        guard !sinks.isEmpty else { return }
        let record = SinkRecord(event, at: time)
        let now = ContinuousClock.now
        for sink in sinks { sink.offer(record, now) }
    }

    /// Opens files and connections anew with the next record.
    public func reopen() { for sink in sinks { sink.reopen() } }

    /// How each does.
    public var status: [SinkStatus] { sinks.map(\.status) }

    /// Writes what waits, and gives up what can't be written soon.
    ///
    /// - Parameter patience: How long to wait for sinks that are slow.
    public func finish(within patience: Duration = .seconds(2)) {
        let deadline = ContinuousClock.now + patience
        for sink in sinks { sink.end() }
        while !sinks.allSatisfy(\.isOver), ContinuousClock.now < deadline { usleep(2000) }
    }
}
