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
        get throws {
            var response = try Response(status: HTTPResponse.Status(code: code), json: self)
            if code == HTTPResponse.Status.methodNotAllowed.code {
                response.headers[.allow] = "GET"
            }
            return response
        }
    }

    static func notGet(_ request: Request) -> APIProblem {
        APIProblem(
            status: .methodNotAllowed, error: "\(request.uri.path) doesn't take \(request.method)",
            fix: "use GET")
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
        if Routes.postPaths.contains(path) {
            return APIProblem(
                status: .methodNotAllowed, error: "\(path) doesn't take \(request.method)",
                fix: "use POST")
        }
        if Routes.paths.contains(path) || path == "/" {
            return .notGet(request)
        }
        return APIProblem(
            status: error.status,
            error: error.status == .notFound ? "there is no \(path)" : "\(error)",
            fix: "use one of \(Routes.paths.joined(separator: ", "))")
    }
}
