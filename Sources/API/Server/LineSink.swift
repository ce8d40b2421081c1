import Reports

/// Puts events before a reader, and counts those that found no room.
actor LineSink {
    private let lines: AsyncStream<[UInt8]>.Continuation
    private let form: EventFeed.Form
    /// How many events the reader missed and wasn't told of.
    private var lost: UInt64

    /// How many lines wait for a slow reader before further ones are lost.
    static let patience = 4096

    init(_ lines: AsyncStream<[UInt8]>.Continuation, _ form: EventFeed.Form, lost: UInt64) {
        self.lines = lines
        self.form = form
        self.lost = lost
    }

    func send(_ event: AgentEvent) {
        if case .lost(let count) = event {
            lost += count
            return tellLosses()
        }
        tellLosses()
        guard let line = form.bytes(event) else { return }
        if !yield(line) { lost += 1 }
    }

    /// A sign of life, or how many events were lost.
    func beat() {
        if lost == 0 { lines.yield(form.heartbeat) } else { tellLosses() }
    }

    private func tellLosses() {
        if lost > 0, let line = form.bytes(.lost(lost)), yield(line) { lost = 0 }
    }

    /// Whether the line found room.
    private func yield(_ line: [UInt8]) -> Bool {
        if case .enqueued = lines.yield(line) { return true }
        return false
    }
}
