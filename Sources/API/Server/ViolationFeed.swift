import Hummingbird
import Reports
import ServiceLifecycle

/// Violations as a stream of JSON lines that lasts until the reader or the agent goes away.
struct ViolationFeed: Sendable {
    private let recorded: ViolationsReport
    private let live: AsyncStream<Violation>
    private let heartbeat: Duration

    /// How many lines wait for a slow reader before further ones are counted as lost.
    private static let patience = 4096
    private static let lineFeed = [UInt8(ascii: "\n")]

    /// Recorded violations come first, from that moment on; none of them for nil.
    init(of agent: any AgentQueries, since: Timestamp?, heartbeat: Duration) async throws {
        // Asked for before the recorded ones are read, so that none falls between the two.
        live = agent.violationStream()
        recorded =
            since == nil
            ? ViolationsReport(violations: []) : try await agent.violations(since: since)
        self.heartbeat = heartbeat
    }

    func response(to request: Request) -> Response {
        let body = ResponseBody { writer in
            // The reader says nothing more: when its side ends, it is gone.
            try await request.body.consumeWithCancellationOnInboundClose { _ in
                for await line in lines().cancelOnGracefulShutdown() {
                    try await writer.write(ByteBuffer(bytes: line))
                }
                try await writer.finish(nil)
            }
        }
        return Response(
            status: .ok, headers: [.contentType: "application/x-ndjson"], body: body)
    }

    /// Lines with their line feeds: an empty one at once, so that the reader knows it is heard.
    private func lines() -> AsyncStream<[UInt8]> {
        let (lines, sink) = AsyncStream.makeStream(
            of: [UInt8].self, bufferingPolicy: .bufferingOldest(Self.patience))
        sink.yield(Self.lineFeed)
        let feeding = Task {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await beat(into: sink) }
                await feed(sink)
                group.cancelAll()
            }
            sink.finish()
        }
        sink.onTermination = { _ in feeding.cancel() }
        return lines
    }

    private func beat(into sink: AsyncStream<[UInt8]>.Continuation) async {
        while (try? await Task.sleep(for: heartbeat)) != nil { sink.yield(Self.lineFeed) }
    }

    private func feed(_ sink: AsyncStream<[UInt8]>.Continuation) async {
        let known = Set(recorded.violations)
        var lost = recorded.notRecorded
        for violation in recorded.violations { Self.send(violation, into: sink, lost: &lost) }
        for await violation in live where !known.contains(violation) {
            Self.send(violation, into: sink, lost: &lost)
        }
    }

    private static func send(
        _ violation: Violation, into sink: AsyncStream<[UInt8]>.Continuation, lost: inout UInt64
    ) {
        if lost > 0, yield(.lost(lost), into: sink) { lost = 0 }
        if !yield(.violation(violation), into: sink) { lost += 1 }
    }

    /// Whether the line found room.
    private static func yield(
        _ event: StreamedViolation, into sink: AsyncStream<[UInt8]>.Continuation
    ) -> Bool {
        guard let line = try? ReportJSON.line(event) else { return false }
        if case .enqueued = sink.yield(line + lineFeed) { return true }
        return false
    }
}
