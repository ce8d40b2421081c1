import Hummingbird
import Reports
import ServiceLifecycle

/// Violations as a stream of JSON lines that lasts until the reader or the agent goes away.
struct ViolationFeed: Sendable {
    private let recorded: ViolationsReport
    private let live: AsyncStream<Violation>
    private let heartbeat: Duration

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
        let (lines, continuation) = AsyncStream.makeStream(
            of: [UInt8].self, bufferingPolicy: .bufferingOldest(LineSink.patience))
        let sink = LineSink(continuation, lost: recorded.notRecorded)
        let feeding = Task {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await beat(into: sink) }
                await feed(sink)
                group.cancelAll()
            }
            continuation.finish()
        }
        continuation.onTermination = { _ in feeding.cancel() }
        return lines
    }

    private func beat(into sink: LineSink) async {
        repeat { await sink.beat() } while (try? await Task.sleep(for: heartbeat)) != nil
    }

    private func feed(_ sink: LineSink) async {
        let known = Set(recorded.violations)
        for violation in recorded.violations { await sink.send(violation) }
        for await violation in live where !known.contains(violation) {
            await sink.send(violation)
        }
        await sink.beat()
    }
}
