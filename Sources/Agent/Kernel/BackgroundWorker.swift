internal import Dispatch
internal import Synchronization

/// A thread of its own for work that may take long, and how long the loop waits for it.
///
/// What is written to tables is such work. The kernel begins no transaction in a namespace while another one goes on there, and whoever is root in it can make
/// one that takes seconds. Two at a time hold up every namespace of the machine: `nfnetlink_rcv_batch` of
/// net/netfilter/nfnetlink.c waits for a namespace's turn while it holds the lock of the whole subsystem. No signal ends
/// that wait; so it is another thread's than the one that everything else depends on.
final class BackgroundWorker: Sendable {
    private let queue: DispatchQueue

    /// - Parameter label: Names the thread for debuggers.
    init(label: String) { queue = DispatchQueue(label: label) }

    /// What became of some work.
    private enum Stage<Outcome: Sendable>: Sendable {
        case going
        case done(Outcome)
        /// Nobody waits for it any more.
        case left
    }

    /// Counts what was done of some work, each step of which is a reason to wait on, and tells whether the rest is
    /// still wanted.
    final class Progress: Sendable {
        private let steps = Atomic<Int>(0)
        private let outdated = Atomic<Bool>(false)
        private let stalled = Atomic<Bool>(false)

        var count: Int { steps.load(ordering: .relaxed) }
        var isOutdated: Bool { outdated.load(ordering: .relaxed) }

        func step() { steps.add(1, ordering: .relaxed) }
        func outdate() { outdated.store(true, ordering: .relaxed) }

        /// Whether nothing got done for as long as somebody had patience.
        var hasStalled: Bool { stalled.load(ordering: .relaxed) }
        fileprivate func stall() { stalled.store(true, ordering: .relaxed) }
    }

    /// Has work done, and waits for it.
    ///
    /// - Parameters:
    ///   - patience: For how long nothing of it may get done before it isn't waited for any more.
    ///   - limit: For how long it is waited for at most; nil for as long as something gets done.
    ///   - progress: Told of each step.
    ///   - work: Is done after all earlier work, on another thread.
    ///   - late: Called there with the outcome that nobody waited for.
    /// - Returns: The outcome; nil where `late` is going to have it.
    func run<Outcome: Sendable>(
        patience: Duration, limit: Duration?, _ progress: Progress,
        _ work: @escaping @Sendable (Progress) -> Outcome,
        late: @escaping @Sendable (Outcome) -> Void
    ) -> Outcome? {
        let place = Place<Outcome>()
        let start = ContinuousClock.now
        queue.async {
            let outcome = work(progress)
            let isLeft = place.stage.withLock { stage in
                if case .left = stage { return true }
                stage = .done(outcome)
                return false
            }
            if isLeft { late(outcome) } else { place.isDone.signal() }
        }
        var steps = 0
        while place.isDone.wait(timeout: .now() + patience.asDispatched) == .timedOut {
            let count = progress.count
            if count == steps {
                progress.stall()
                break
            }
            if let limit, ContinuousClock.now - start > limit { break }
            steps = count
        }
        return place.stage.withLock { stage in
            if case .done(let outcome) = stage { return outcome }
            stage = .left
            return nil
        }
    }

    /// Has work done after all earlier work, and waits for nothing.
    ///
    /// - Parameters:
    ///   - work: Is done on the worker's thread.
    ///   - done: Is called there with the outcome.
    func start<Outcome: Sendable>(
        _ work: @escaping @Sendable () -> Outcome, done: @escaping @Sendable (Outcome) -> Void
    ) {
        queue.async { done(work()) }
    }

    /// Lets go of something on the writer's thread: to close a netlink socket of nf_tables is to wait for the namespace's
    /// turn as well (`nft_rcv_nl_event`).
    func release(_ value: some Sendable) {
        // Whoever calls this has let go of it by then.
        queue.asyncAfter(deadline: .now() + .milliseconds(500)) { withExtendedLifetime(value) {} }
    }

    private final class Place<Outcome: Sendable>: Sendable {
        let stage = Mutex(Stage<Outcome>.going)
        let isDone = DispatchSemaphore(value: 0)
    }
}

extension Duration {
    fileprivate var asDispatched: DispatchTimeInterval {
        .microseconds(
            Int(components.seconds * 1_000_000 + components.attoseconds / 1_000_000_000_000))
    }
}
