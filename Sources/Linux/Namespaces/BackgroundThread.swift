private import Glibc
private import Synchronization

/// Tells threads to end.
public final class StopSign: Sendable {
    private let state = Atomic(false)

    public init() {}

    public var isRaised: Bool { state.load(ordering: .acquiring) }

    public func raise() { state.store(true, ordering: .releasing) }
}

/// Work on a thread of its own that ends soon after its sign is raised.
///
/// Going away raises the sign and waits for the end, so that no thread outlives its owner.
public struct BackgroundThread: ~Copyable {
    private let sign: StopSign
    private let thread: pthread_t
    private let errand: Unmanaged<Errand>

    /// Starts the work, which has to look at the sign.
    ///
    /// The library call is `pthread_create`.
    public init(
        until sign: StopSign, _ work: @escaping @Sendable () -> Void
    ) throws(SystemError) {
        let errand = Unmanaged.passRetained(Errand(work: work))
        var thread = pthread_t()
        let code = start(errand, as: &thread)
        guard code == 0 else {
            errand.release()
            throw SystemError("pthread_create", code: code)
        }
        self.sign = sign
        self.thread = thread
        self.errand = errand
    }

    deinit {
        sign.raise()
        pthread_join(thread, nil)
        errand.release()
    }
}
