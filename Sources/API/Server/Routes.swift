import Hummingbird
import Reports

/// What the API answers, path by path.
struct Routes: Sendable {
    let agent: any AgentQueries
    let heartbeat: Duration
    /// Nil where nobody can be told of endpoints.
    var registry: (any EndpointRegistry)?

    /// Where requests come in.
    enum Entrance {
        /// The Unix socket, which its owner alone can open.
        case socket
        /// A TCP port of the loopback interface.
        case loopback
    }

    /// What `GET` is answered on.
    static let paths = [
        "/v1/status", "/v1/tenants", "/v1/endpoints", "/v1/rules", "/v1/flows", "/v1/counters",
        "/v1/violations", "/v1/matrix", "/v1/history", "/v1/drift", "/v1/events", "/metrics",
        "/healthz",
        "/readyz", "/openapi.json",
    ]

    func router(for entrance: Entrance) -> Router<BasicRequestContext> {
        let router = Router()
        router.add(middleware: CarefulHeaders())
        router.add(middleware: JSONErrors())
        if entrance == .loopback { router.add(middleware: LoopbackGuard()) }
        router.get("/healthz") { request, _ in
            _ = try Query(request, allowed: [])
            return Response(text: "ok\n")
        }
        router.get("/readyz") { request, _ in try readiness(request) }
        router.get("/v1/events") { request, _ in
            let question = try ViolationsQuestion(Query(request, allowed: Self.violationFilters))
            return try await EventFeed(of: agent, question, as: .serverSent, heartbeat: heartbeat)
                .response(to: request)
        }
        router.get("/v1/violations") { request, _ in try await violations(request) }
        router.get("/v1/drift") { request, _ in try await drift(request) }
        router.get("/metrics") { request, _ in
            _ = try Query(request, allowed: [])
            return Response(
                MetricsPage(try await agent.metrics(), MetricsForm(for: request)),
                as: MetricsForm(for: request))
        }
        router.get("/openapi.json") { request, _ in
            _ = try Query(request, allowed: [])
            return Response(
                text: entrance == .loopback ? OpenAPI.readOnlyDocument : OpenAPI.document,
                type: "application/json")
        }
        addPages(to: router)
        addReports(to: router)
        if let registry { addEndpoints(to: router, registry) }
        Page.own.add(to: router)
        return router
    }

    /// What is answered as a whole.
    private func addReports(to router: Router<BasicRequestContext>) {
        router.get("/v1/status") { request, _ in
            _ = try Query(request, allowed: [])
            return try Response(json: await agent.status())
        }
        router.get("/v1/tenants") { request, _ in
            _ = try Query(request, allowed: [])
            return try Response(json: try await agent.tenants())
        }
        router.get("/v1/endpoints") { request, _ in
            _ = try Query(request, allowed: [])
            return try Response(json: try await agent.endpoints())
        }
        router.get("/v1/counters") { request, _ in
            _ = try Query(request, allowed: [])
            return try Response(json: try await agent.counters())
        }
        router.get("/v1/matrix") { request, _ in
            _ = try Query(request, allowed: [])
            return try Response(json: try await agent.matrix())
        }
    }

    /// What is answered in part.
    private func addPages(to router: Router<BasicRequestContext>) {
        router.get("/v1/rules") { request, _ in
            let query = try Query(request, allowed: ["source", "destination", "limit", "cursor"])
            let question = RulesQuestion(
                source: try query.party("source"), destination: try query.party("destination"),
                limit: try query.limit(), cursor: query.text("cursor"))
            guard let report = try await agent.rules(question) else { throw Query.badCursor }
            return try Response(json: report)
        }
        router.get("/v1/flows") { request, _ in
            let query = try Query(request, allowed: ["tenant", "limit"])
            let question = FlowsQuestion(tenant: try query.tenant(), limit: try query.limit())
            return try Response(json: try await agent.flows(question))
        }
        router.get("/v1/history") { request, _ in
            let query = try Query(request, allowed: ["limit"])
            return try Response(json: try await agent.history(limit: try query.limit(100)))
        }
    }

    private func readiness(_ request: Request) throws -> Response {
        _ = try Query(request, allowed: [])
        // Who asks is not kept waiting while the agent is at work and has no time for questions.
        guard agent.isReconciled else {
            throw APIProblem(
                status: .serviceUnavailable, error: "no generation is in force yet",
                fix: "wait, or see the errors in /v1/status")
        }
        return Response(text: "ready\n")
    }

    private static let violationFilters = [
        "since", "until", "tenant", "source", "destination", "reason",
    ]

    private func violations(_ request: Request) async throws -> Response {
        let query = try Query(
            request, allowed: Self.violationFilters + ["follow", "limit", "cursor"])
        var question = try ViolationsQuestion(query)
        guard try query.flag("follow") else {
            question.limit = try query.limitIfGiven()
            question.cursor = query.text("cursor")
            guard let report = try await agent.violations(question) else { throw Query.badCursor }
            return try Response(json: report)
        }
        return try await EventFeed(of: agent, question, as: .violationLines, heartbeat: heartbeat)
            .response(to: request)
    }
}

extension Routes {
    private func drift(_ request: Request) async throws -> Response {
        let query = try Query(request, allowed: ["since", "tenant", "follow", "limit"])
        let question = DriftQuestion(
            since: try query.timestamp("since"), tenant: try query.tenant(),
            limit: try query.limit())
        guard try query.flag("follow") else {
            return try Response(json: try await agent.drift(question))
        }
        return try await EventFeed(of: agent, question, heartbeat: heartbeat)
            .response(to: request)
    }
}

extension ViolationsQuestion {
    /// The filters of a request.
    fileprivate init(_ query: Query) throws(APIProblem) {
        self.init(
            since: try query.timestamp("since"), until: try query.timestamp("until"),
            tenant: try query.tenant(), source: try query.party("source"),
            destination: try query.party("destination"), reason: try query.reason("reason"))
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

    init(text: String, type: String = "text/plain; charset=utf-8") {
        self.init(
            status: .ok, headers: [.contentType: type],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
}
