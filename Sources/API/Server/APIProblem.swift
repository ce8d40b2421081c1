import Hummingbird
import Logging

/// What a request gets instead of an answer; also what the client reads.
struct APIProblem: Error, Codable, Hashable {
    let error: String
    let fix: String
    /// The HTTP status, which stands in the head and not in the body.
    var code = 400

    private enum CodingKeys: String, CodingKey {
        case error
        case fix
    }

    init(status: HTTPResponse.Status = .badRequest, error: String, fix: String) {
        self.error = error
        self.fix = fix
        code = status.code
    }

    var response: Response {
        get throws { try Response(status: HTTPResponse.Status(code: code), json: self) }
    }
}

/// Turns every error of a route into the same JSON.
struct JSONErrors: RouterMiddleware {
    typealias Context = BasicRequestContext

    func handle(
        _ request: Request, context: Context,
        next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let problem as APIProblem {
            return try problem.response
        } catch let error as HTTPError {
            return try problem(error, request).response
        } catch {
            context.logger.error("a request failed", metadata: ["error": "\(error)"])
            return try APIProblem(
                status: .internalServerError, error: "\(error)",
                fix: "try again, and see the log of the agent"
            ).response
        }
    }

    private func problem(_ error: HTTPError, _ request: Request) -> APIProblem {
        let path = request.uri.path
        if Routes.paths.contains(path) {
            return APIProblem(
                status: .methodNotAllowed, error: "\(path) doesn't take \(request.method)",
                fix: "use GET")
        }
        return APIProblem(
            status: error.status,
            error: error.status == .notFound ? "there is no \(path)" : "\(error)",
            fix: "use one of \(Routes.paths.joined(separator: ", "))")
    }
}
