public import Reports

/// Who is told of everything that happens, and says how that goes: the sinks.
public struct AgentObserver: Sendable {
    let tell: @Sendable (AgentEvent) -> Void
    let sinks: @Sendable () -> [SinkStatus]

    /// - Parameters:
    ///   - sinks: How each sink does.
    ///   - tell: Takes an event; it is called on the agent's own thread, and must never wait.
    public init(
        sinks: @escaping @Sendable () -> [SinkStatus],
        tell: @escaping @Sendable (AgentEvent) -> Void
    ) {
        self.sinks = sinks
        self.tell = tell
    }
}
