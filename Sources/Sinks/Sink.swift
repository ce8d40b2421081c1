internal import Glibc
internal import Linux
internal import Reports
internal import Synchronization

/// Somewhere that events are written to, by a thread of its own.
///
/// Whoever hands events over never waits: they stand in a queue that is bounded, and what finds no
/// room is counted. A sink that can't be written to keeps what waits and tries again, ever more
/// seldom.
final class Sink: Sendable {
    private let options: SinkOptions
    private let state: Mutex<State>
    /// There is something in the queue.
    private let news: Wakeup
    /// The thread is to end, or to open what it writes to anew.
    private let orders: Wakeup

    private struct State {
        var queue: [SinkRecord] = []
        /// Taken from the queue and not written yet.
        var underWay = 0
        var written: UInt64 = 0
        var lost = SinkLosses()
        /// What of that was written down in the sink itself.
        var lostTold: UInt64 = 0
        var problem: String?
        var limit: RateLimit
        var isReopening = false
        var isEnding = false
        var isOver = false
    }

    /// How long a sink that failed is left alone: at first, and at most.
    private static let pauses = (first: Duration.milliseconds(250), last: Duration.seconds(8))

    init(_ options: SinkOptions) throws(SystemError) {
        self.options = options
        state = Mutex(State(limit: RateLimit(options.rate)))
        news = try Wakeup()
        orders = try Wakeup()
        try start()
    }

    /// Takes an event or counts that it is lost; never waits.
    func offer(_ record: SinkRecord, _ now: ContinuousClock.Instant) {
        guard let kind = record.kind, options.events.contains(kind) else { return }
        let isFirst = state.withLock { state in
            guard state.limit.take(now) else {
                state.lost.limited += 1
                return false
            }
            guard state.queue.count + state.underWay < options.queue else {
                state.lost.full += 1
                return false
            }
            state.queue.append(record)
            return state.queue.count == 1
        }
        if isFirst { news.signal() }
    }

    /// Lets go of the file or the connection, as after a rotation by somebody else.
    func reopen() {
        state.withLock { $0.isReopening = true }
        orders.signal()
    }

    /// Writes what waits and ends; what can't be written at once is given up.
    func end() {
        state.withLock { $0.isEnding = true }
        orders.signal()
    }

    var isOver: Bool { state.withLock { $0.isOver } }

    var status: SinkStatus {
        state.withLock { state in
            SinkStatus(
                name: options.target.name, target: options.target.place, written: state.written,
                waiting: UInt64(state.queue.count + state.underWay), lost: state.lost,
                problem: state.problem)
        }
    }
}

/// What happens on the sink's thread.
extension Sink {
    /// The thread may hang in a write to whoever doesn't read, so nobody waits for its end.
    ///
    /// The library calls are `pthread_create` and `pthread_detach`.
    private func start() throws(SystemError) {
        var thread = pthread_t()
        let body = Unmanaged.passRetained(self)
        let code = pthread_create(
            &thread, nil,
            { argument in
                argument.map { Unmanaged<Sink>.fromOpaque($0).takeRetainedValue().work() }
                return nil
            }, body.toOpaque())
        guard code == 0 else {
            body.release()
            throw SystemError("pthread_create", on: options.target.name, code: code)
        }
        pthread_detach(thread)
    }

    private func work() {
        blockPipeSignal()
        let writer = options.target.writer()
        while true {
            let (batch, isEnding) = take(writer)
            for (index, record) in batch.enumerated() {
                deliver(record, to: writer)
                state.withLock { $0.underWay = batch.count - index - 1 }
            }
            if batch.isEmpty {
                if isEnding { break }
                wait(for: [news.descriptor.rawValue, orders.descriptor.rawValue], nil)
            }
        }
        writer.close()
        state.withLock { $0.isOver = true }
    }

    /// Who closes a pipe must end this thread's write and not the agent.
    private func blockPipeSignal() {
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, SIGPIPE)
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    private func take(_ writer: any SinkWriter) -> (batch: [SinkRecord], isEnding: Bool) {
        news.clear()
        orders.clear()
        let (batch, isReopening, isEnding) = state.withLock { state in
            defer {
                state.underWay = state.queue.count
                state.queue = []
                state.isReopening = false
            }
            return (state.queue, state.isReopening, state.isEnding)
        }
        if isReopening { writer.close() }
        return (batch, isEnding)
    }

    /// Writes a record, however long that takes, unless the sink is to end.
    private func deliver(_ record: SinkRecord, to writer: any SinkWriter) {
        guard let line = record.line else { return fail() }
        var pause = Self.pauses.first
        while true {
            do throws(SystemError) {
                try tellLosses(at: record, to: writer)
                try writer.write(record, line: line)
                state.withLock { state in
                    state.written += 1
                    state.problem = nil
                }
                return
            } catch {
                // One that is too large for a datagram stays so.
                if error.code == EMSGSIZE { return fail() }
                writer.close()
                // Before the look at what is ordered: none is missed then.
                orders.clear()
                let isEnding = state.withLock { state in
                    state.problem = "\(error)"
                    state.isReopening = false
                    return state.isEnding
                }
                if isEnding { return fail() }
                wait(for: [orders.descriptor.rawValue], pause)
                pause = min(pause * 2, Self.pauses.last)
            }
        }
    }

    private func fail() { state.withLock { $0.lost.failed += 1 } }

    /// Who reads the sink has to know that something is missing before what comes next.
    private func tellLosses(
        at record: SinkRecord, to writer: any SinkWriter
    ) throws(SystemError) {
        let (lost, told) = state.withLock { ($0.lost.total, $0.lostTold) }
        guard lost > told else { return }
        let notice = SinkRecord(.lost(lost - told), at: record.at)
        try writer.write(notice, line: notice.line ?? [])
        state.withLock { $0.lostTold = lost }
    }

    /// The system call is `poll`.
    private func wait(for descriptors: [CInt], _ time: Duration?) {
        var waiting = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        let milliseconds = time.map {
            CInt($0.components.seconds * 1000)
                + CInt($0.components.attoseconds / 1_000_000_000_000_000)
        }
        // A signal only makes it look again.
        poll(&waiting, nfds_t(waiting.count), milliseconds ?? -1)
    }
}
