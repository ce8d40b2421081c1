import Hummingbird
import Reports

extension Routes {
    /// What `POST` is answered on.
    static let postPaths = ["/v1/endpoints/await", "/v1/endpoints/forget"]

    /// No request is longer: paths and labels are short.
    private static let greatestRequest = 64 << 10

    /// What whoever starts something in a namespace asks for first.
    func addEndpoints(to router: Router<BasicRequestContext>, _ registry: any EndpointRegistry) {
        router.post("/v1/endpoints/await") { request, _ in
            let question = try await Self.question(request)
            do {
                return try Response(json: try await registry.enforce(question))
            } catch let problem as EnforcementProblem {
                throw APIProblem(problem)
            }
        }
        router.post("/v1/endpoints/forget") { request, _ in
            do {
                try await registry.forget(try await Self.question(request))
                return Response(text: "ok\n")
            } catch let problem as EnforcementProblem {
                throw APIProblem(problem)
            }
        }
    }

    private static func question(_ request: Request) async throws -> EnforcementRequest {
        _ = try Query(request, allowed: [])
        let body = try await request.body.collect(upTo: greatestRequest)
        do {
            return try ReportJSON.read(
                EnforcementRequest.self, from: [UInt8](body.readableBytesView))
        } catch {
            throw APIProblem(
                error: "the body is no request",
                fix: #"send JSON such as {"namespace":"/run/netns/shop-1","tenant":"shop"}"#)
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
