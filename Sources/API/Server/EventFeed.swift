import Hummingbird
import Reports
import ServiceLifecycle

/// What happens, as a stream that lasts until the reader or the agent goes away.
struct EventFeed: Sendable {
    /// How events look on the wire.
    enum Form: Sendable {
        /// Violations and losses, a line of JSON each.
        case violationLines
        /// Drift and losses, a line of JSON each.
        case driftLines
        /// Every event, as the WHATWG's HTML standard defines server-sent events.
        case serverSent
    }

    private let recorded: [AgentEvent]
    private let missed: UInt64
    /// Whether an event that is new is asked for.
    private let matches: @Sendable (AgentEvent) -> Bool
    private let live: AsyncStream<AgentEvent>
    private let form: Form
    private let heartbeat: Duration

    /// Recorded violations come first where the question says since when.
    init(
        of agent: any AgentQueries, _ question: ViolationsQuestion, as form: Form,
        heartbeat: Duration
    ) async throws {
        // Asked for before the recorded ones are read, so that none falls between the two.
        live = agent.events()
        let report = question.since == nil ? nil : try await agent.violations(question)
        recorded = (report?.violations ?? []).map { .violation($0) }
        missed = report?.notRecorded ?? 0
        matches = { event in
            guard case .violation(let violation) = event else { return true }
            return question.matches(violation)
        }
        self.form = form
        self.heartbeat = heartbeat
    }

    /// Recorded drift comes first where the question says since when.
    init(
        of agent: any AgentQueries, _ question: DriftQuestion, heartbeat: Duration
    ) async throws {
        live = agent.events()
        let report = question.since == nil ? nil : try await agent.drift(question)
        recorded = (report?.drift ?? []).map { .drift($0) }
        missed = 0
        matches = { event in
            guard case .drift(let record) = event else { return true }
            return question.matches(record)
        }
        form = .driftLines
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
            status: .ok,
            headers: [.contentType: form.contentType, .cacheControl: "no-store"], body: body)
    }

    /// Lines with their line feeds: an empty one at once, so that the reader knows it is heard.
    private func lines() -> AsyncStream<[UInt8]> {
        let (lines, continuation) = AsyncStream.makeStream(
            of: [UInt8].self, bufferingPolicy: .bufferingOldest(LineSink.patience))
        let sink = LineSink(continuation, form, lost: missed)
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
        let known = Set(recorded)
        for event in recorded { await sink.send(event) }
        for await event in live where matches(event) && !known.contains(event) {
            await sink.send(event)
        }
        await sink.beat()
    }
}

extension EventFeed.Form {
    fileprivate var contentType: String {
        switch self {
        case .violationLines, .driftLines: "application/x-ndjson"
        case .serverSent: "text/event-stream"
        }
    }

    /// What a reader gets now and then, so that it knows that it is heard.
    var heartbeat: [UInt8] {
        switch self {
        case .violationLines, .driftLines: Array("\n".utf8)
        case .serverSent: Array(":\n\n".utf8)
        }
    }

    /// The event with its line feeds; nil for one that the form leaves out.
    func bytes(_ event: AgentEvent) -> [UInt8]? {
        switch self {
        case .violationLines:
            switch event {
            case .violation(let violation): return line(StreamedViolation.violation(violation))
            case .lost(let count): return line(StreamedViolation.lost(count))
            case .generation, .drift, .errors: return nil
            }
        case .driftLines:
            switch event {
            case .drift(let record): return line(StreamedDrift.drift(record))
            case .lost(let count): return line(StreamedDrift.lost(count))
            case .generation, .violation, .errors: return nil
            }
        case .serverSent:
            guard let (name, data) = named(event) else { return nil }
            return Array("event: \(name)\ndata: ".utf8) + data + Array("\n".utf8)
        }
    }

    private func named(_ event: AgentEvent) -> (String, [UInt8])? {
        switch event {
        case .violation(let violation): line(violation).map { ("violation", $0) }
        case .generation(let record): line(record).map { ("generation", $0) }
        case .drift(let record): line(record).map { ("drift", $0) }
        case .errors(let errors): line(["errors": errors]).map { ("errors", $0) }
        case .lost(let count): line(["lost": count]).map { ("lost", $0) }
        }
    }

    private func line(_ value: some Encodable) -> [UInt8]? {
        (try? ReportJSON.line(value)).map { $0 + Array("\n".utf8) }
    }
}
