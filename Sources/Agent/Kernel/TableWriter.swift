internal import Dispatch
internal import Synchronization

/// A thread of its own for what is written to tables, and for how long it is waited for.
///
/// The kernel begins no transaction in a namespace while another one goes on there, and whoever is root in it can make
/// one that takes seconds. Two at a time hold up every namespace of the machine: `nfnetlink_rcv_batch` of
/// net/netfilter/nfnetlink.c waits for a namespace's turn while it holds the lock of the whole subsystem. No signal ends
/// that wait; so it is another thread's than the one that everything else depends on.
final class TableWriter: Sendable {
    private let queue = DispatchQueue(label: "ringfence.tables", qos: .userInitiated)

    /// What became of some work.
    private enum Stage<Outcome: Sendable>: Sendable {
        case going
        case done(Outcome)
        /// Nobody waits for it any more.
        case left
    }

    /// Counts what was done of some work; each step is a reason to wait on.
    final class Progress: Sendable {
        private let steps = Atomic<Int>(0)

        var count: Int { steps.load(ordering: .relaxed) }

        func step() { steps.add(1, ordering: .relaxed) }
    }

    /// Has work done, and waits for it.
    ///
    /// - Parameters:
    ///   - patience: For how long nothing of it may get done before it isn't waited for any more.
    ///   - work: Is done after all earlier work, on another thread.
    ///   - late: Called there with the outcome that nobody waited for.
    /// - Returns: The outcome; nil where `late` is going to have it.
    func run<Outcome: Sendable>(
        patience: Duration, _ work: @escaping @Sendable (Progress) -> Outcome,
        late: @escaping @Sendable (Outcome) -> Void
    ) -> Outcome? {
        let place = Place<Outcome>()
        let progress = Progress()
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
            if count == steps { break }
            steps = count
        }
        return place.stage.withLock { stage in
            if case .done(let outcome) = stage { return outcome }
            stage = .left
            return nil
        }
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
