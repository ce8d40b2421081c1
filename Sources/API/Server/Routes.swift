import Hummingbird
import Reports

/// What the API answers, path by path.
struct Routes: Sendable {
    let agent: any AgentQueries
    let heartbeat: Duration

    /// What `GET` is answered on.
    static let paths = ["/v1/status", "/v1/counters", "/v1/violations", "/healthz", "/readyz"]

    func router() -> Router<BasicRequestContext> {
        let router = Router()
        router.add(middleware: JSONErrors())
        router.get("/healthz") { request, _ in
            _ = try Query(request, allowed: [])
            return Response(text: "ok\n")
        }
        router.get("/readyz") { request, _ in try await readiness(request) }
        router.get("/v1/status") { request, _ in
            _ = try Query(request, allowed: [])
            return try Response(json: await agent.status())
        }
        router.get("/v1/counters") { request, _ in
            _ = try Query(request, allowed: [])
            return try Response(json: try await agent.counters())
        }
        router.get("/v1/violations") { request, _ in try await violations(request) }
        return router
    }

    private func readiness(_ request: Request) async throws -> Response {
        _ = try Query(request, allowed: [])
        guard await agent.status().agent.generation > 0 else {
            throw APIProblem(
                status: .serviceUnavailable, error: "no generation is in force yet",
                fix: "wait, or see the errors in /v1/status")
        }
        return Response(text: "ready\n")
    }

    private func violations(_ request: Request) async throws -> Response {
        let query = try Query(request, allowed: ["follow", "since"])
        let since = try query.timestamp("since")
        guard try query.flag("follow") else {
            return try Response(json: try await agent.violations(since: since))
        }
        let feed = try await ViolationFeed(of: agent, since: since, heartbeat: heartbeat)
        return feed.response(to: request)
    }
}

extension Response {
    /// One line of JSON.
    init(status: HTTPResponse.Status = .ok, json report: some Encodable) throws {
        var buffer = ByteBuffer(bytes: try ReportJSON.line(report))
        buffer.writeString("\n")
        self.init(
            status: status, headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: buffer))
    }

    init(text: String) {
        self.init(
            status: .ok, headers: [.contentType: "text/plain; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
}
