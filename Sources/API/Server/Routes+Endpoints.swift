import Hummingbird
import Reports

extension Routes {
    /// What `POST` is answered on.
    static let postPaths = [
        "/v1/endpoints/await", "/v1/endpoints/forget", "/v1/links/release",
        "/v1/policies/confirm-empty",
    ]

    /// No request is longer: paths and labels are short.
    private static let greatestRequest = 64 << 10

    /// What whoever starts something in a namespace asks for first.
    func addEndpoints(to router: Router<BasicRequestContext>, _ registry: any EndpointRegistry) {
        router.post("/v1/endpoints/await") { request, _ in
            let question: EnforcementRequest = try await Self.question(request)
            do {
                return try Response(json: try await registry.enforce(question))
            } catch let problem as EnforcementProblem {
                throw APIProblem(problem)
            }
        }
        router.post("/v1/endpoints/forget") { request, _ in
            try await Self.acknowledged {
                try await registry.forget(try await Self.question(request))
            }
        }
        router.post("/v1/links/release") { request, _ in
            try await Self.acknowledged {
                try await registry.release(
                    try await Self.question(request, example: #"{"link":"veth7"}"#))
            }
        }
        router.post("/v1/policies/confirm-empty") { request, _ in
            _ = try Query(request, allowed: [])
            return try await Self.acknowledged { try await registry.confirmEmptyDirectory() }
        }
    }

    private static func acknowledged(_ work: () async throws -> Void) async throws -> Response {
        do {
            try await work()
            return Response(text: "ok\n")
        } catch let problem as EnforcementProblem {
            throw APIProblem(problem)
        }
    }

    private static func question<Question: Decodable>(
        _ request: Request, example: String = #"{"namespace":"/run/netns/shop-1","tenant":"shop"}"#
    ) async throws -> Question {
        _ = try Query(request, allowed: [])
        let body = try await request.body.collect(upTo: greatestRequest)
        do {
            return try ReportJSON.read(
                Question.self, from: [UInt8](body.readableBytesView))
        } catch {
            throw APIProblem(
                error: "the body is no request",
                fix: "send JSON such as \(example)")
        }
    }
}

extension APIProblem {
    fileprivate init(_ problem: EnforcementProblem) {
        let status: HTTPResponse.Status =
            switch problem.kind {
            case .invalid: .badRequest
            case .absent: .notFound
            case .conflict: .conflict
            case .late: .gatewayTimeout
            }
        self.init(status: status, error: problem.message, fix: problem.fix)
    }
}
