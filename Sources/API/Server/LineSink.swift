import Reports

/// Puts lines before a reader, and counts those that found no room.
actor LineSink {
    private let lines: AsyncStream<[UInt8]>.Continuation
    /// How many violations the reader missed and wasn't told of.
    private var lost: UInt64

    /// How many lines wait for a slow reader before further ones are lost.
    static let patience = 4096
    private static let lineFeed = [UInt8(ascii: "\n")]

    init(_ lines: AsyncStream<[UInt8]>.Continuation, lost: UInt64) {
        self.lines = lines
        self.lost = lost
    }

    func send(_ violation: Violation) {
        tellLosses()
        if !yield(.violation(violation)) { lost += 1 }
    }

    /// An empty line, or how many violations were lost.
    func beat() {
        if lost == 0 { lines.yield(Self.lineFeed) } else { tellLosses() }
    }

    private func tellLosses() {
        if lost > 0, yield(.lost(lost)) { lost = 0 }
    }

    /// Whether the line found room.
    private func yield(_ event: StreamedViolation) -> Bool {
        guard let line = try? ReportJSON.line(event) else { return false }
        if case .enqueued = lines.yield(line + Self.lineFeed) { return true }
        return false
    }
}
