internal import Logging
public import Reports

extension Agent {
    /// What happens from now on; ends when the agent stops.
    public nonisolated func events() -> AsyncStream<AgentEvent> {
        let (stream, continuation) = AsyncStream<AgentEvent>.makeStream(
            bufferingPolicy: .bufferingOldest(10_000))
        let number = UInt64.random(in: 0...UInt64.max)
        continuation.onTermination = { [weak self] _ in
            Task { await self?.close(stream: number) }
        }
        Task { await open(stream: number, continuation) }
        return stream
    }

    private func open(stream number: UInt64, _ continuation: AsyncStream<AgentEvent>.Continuation) {
        streams[number] = Listener(continuation)
    }

    private func close(stream number: UInt64) { streams[number] = nil }

    /// Tells whoever listens.
    func tell(_ event: AgentEvent) {
        observer?.tell(event)
        for number in streams.keys { streams[number]?.tell(event) }
    }
}

/// Somebody who follows events, perhaps slowly.
struct Listener {
    private let continuation: AsyncStream<AgentEvent>.Continuation
    /// How many events found no room and were not told as lost.
    private var lost: UInt64 = 0

    init(_ continuation: AsyncStream<AgentEvent>.Continuation) { self.continuation = continuation }

    mutating func tell(_ event: AgentEvent) {
        if lost > 0, case .enqueued = continuation.yield(.lost(lost)) { lost = 0 }
        if case .dropped = continuation.yield(event) { lost += 1 }
    }

    func finish() { continuation.finish() }
}
