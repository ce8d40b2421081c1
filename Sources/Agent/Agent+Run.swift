internal import Dispatch
internal import Glibc
internal import HostFilter
internal import Linux
internal import Logging
public import ServiceLifecycle

extension Agent: Service {
    /// Runs until it is asked to stop; enforcement stays.
    public nonisolated func run() async throws {
        if !DescriptorLimit.raise() { logger.warning("the limit on open files can't be raised") }
        // Each namespace takes a handful; a table of this size takes 64 KiB.
        DescriptorLimit.reserve(8_192)
        // Dispatch opens what its timers need when the first one is set, and ends the process where it can't.
        await Self.openDispatchTimers()
        let finished = startThread()
        let claim: HostFilterLock?
        do {
            claim = try await claimHostFilter()
            try await start()
            try? await gracefulShutdown()
            await finish()
        } catch {
            loop.stop()
            throw error
        }
        loop.stop()
        await finished.value
        withExtendedLifetime(claim) {}
    }

    /// Looks at everything again, as after a SIGHUP, and ends when what differed is written.
    public func rescan() async {
        logger.info("rescan")
        rescanPolicies()
        refreshNamespaces()
        for id in tenures.keys { refreshInterfaces(of: id) }
        rebuild()
        // What was under way before, and what that held up.
        let rounds = concluded + 2
        while underWay != nil, concluded < rounds {
            try? await Task.sleep(for: .milliseconds(5))
        }
    }

    private static func openDispatchTimers() async {
        await withCheckedContinuation { continuation in
            DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(1)) {
                continuation.resume()
            }
        }
    }

    private nonisolated func startThread() -> Task<Void, Never> {
        let (stream, continuation) = AsyncStream<Void>.makeStream()
        let body = Unmanaged.passRetained(ThreadBody(agent: self, done: continuation))
        var thread = pthread_t()
        pthread_create(
            &thread, nil,
            { argument in
                argument.map { Unmanaged<ThreadBody>.fromOpaque($0).takeRetainedValue().run() }
                return nil
            }, body.toOpaque())
        pthread_detach(thread)
        return Task { for await _ in stream {} }
    }
}

/// What the loop's thread does.
private final class ThreadBody: Sendable {
    private let agent: Agent
    private let done: AsyncStream<Void>.Continuation

    init(agent: Agent, done: AsyncStream<Void>.Continuation) {
        self.agent = agent
        self.done = done
    }

    func run() {
        do {
            try agent.loop.run { [agent] tokens in agent.assumeIsolated { $0.turn(tokens) } }
        } catch {
            agent.logger.critical("the event loop ended: \(error)")
        }
        done.finish()
    }
}
