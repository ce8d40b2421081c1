internal import Dispatch
internal import Glibc
internal import Linux
internal import Synchronization

/// A thread that waits for descriptors and runs an actor's jobs, one after the other.
///
/// An event is handled on the thread that saw it: between a saved file and the kernel there is no
/// other thread to wake.
final class EventLoop: SerialExecutor {
    private let poller: Poller
    private let wakeup: Wakeup
    private let state = Mutex(State())
    /// Runs the jobs that come when the loop is over: who waits for one, or what one holds, is freed.
    private let afterwards: DispatchQueue

    private struct State {
        var jobs: [UnownedJob] = []
        var isStopping = false
        var isOver = false
        var thread: pthread_t?
    }

    private static let isAfterwards = DispatchSpecificKey<ObjectIdentifier>()

    /// What the loop calls with the tokens that are ready; it answers how long to wait at most.
    typealias Turn = @Sendable ([UInt64]) -> Duration?

    private static let wakeupToken = UInt64.max

    init() throws(SystemError) {
        poller = try Poller()
        wakeup = try Wakeup()
        afterwards = DispatchQueue(label: "ringfence.afterwards")
        afterwards.setSpecific(key: Self.isAfterwards, value: ObjectIdentifier(self))
        try poller.add(wakeup.descriptor.rawValue, token: Self.wakeupToken)
    }

    func watch(
        _ descriptor: CInt, token: UInt64, for interest: Poller.Interest = .readable
    ) throws(SystemError) {
        try poller.add(descriptor, token: token, for: interest)
    }

    /// Forgets a descriptor that is still open.
    func unwatch(_ descriptor: CInt) throws(SystemError) { try poller.remove(descriptor) }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let isOver = state.withLock { state in
            if !state.isOver { state.jobs.append(job) }
            return state.isOver
        }
        if isOver {
            afterwards.async { [self] in job.runSynchronously(on: asUnownedSerialExecutor()) }
        } else {
            wakeup.signal()
        }
    }

    func asUnownedSerialExecutor() -> UnownedSerialExecutor {
        UnownedSerialExecutor(ordinary: self)
    }

    func checkIsolated() {
        precondition(
            isIsolatingCurrentContext() ?? false,
            "the agent's state is used on the agent's thread only")
    }

    func isIsolatingCurrentContext() -> Bool? {
        let (thread, isOver) = state.withLock { ($0.thread, $0.isOver) }
        if isOver {
            return DispatchQueue.getSpecific(key: Self.isAfterwards) == ObjectIdentifier(self)
        }
        return thread.map { pthread_equal($0, pthread_self()) != 0 }
    }

    /// Runs the loop on the calling thread until `stop()`.
    func run(_ turn: Turn) throws(SystemError) {
        state.withLock { $0.thread = pthread_self() }
        var wait: Duration?
        while true {
            let tokens = try poller.wait(milliseconds: wait?.roundedUpMilliseconds)
            if tokens.contains(Self.wakeupToken) { wakeup.clear() }
            let (jobs, isStopping) = state.withLock { state in
                defer { state.jobs = [] }
                state.isOver = state.isStopping && state.jobs.isEmpty
                return (state.jobs, state.isStopping)
            }
            for job in jobs { job.runSynchronously(on: asUnownedSerialExecutor()) }
            if isStopping {
                if jobs.isEmpty { return }
                // What these jobs asked for may have been the last wakeup.
                wait = .zero
                continue
            }
            wait = turn(tokens.filter { $0 != Self.wakeupToken })
        }
    }

    func stop() {
        state.withLock { $0.isStopping = true }
        wakeup.signal()
    }
}

extension Duration {
    /// Whole milliseconds, never too short, for system calls that wait.
    fileprivate var roundedUpMilliseconds: Int32 {
        let (seconds, attoseconds) = components
        let milliseconds =
            seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
        return Int32(clamping: max(milliseconds, 0))
    }
}
