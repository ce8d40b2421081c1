import HTTPTypes
import Hummingbird
import HummingbirdCore
public import Logging
import NIOCore
public import ServiceLifecycle

/// The HTTP API on a TCP port of the loopback interface: for reading only.
///
/// Every process in the agent's network namespace can read it, whoever runs it.
public struct LoopbackServer: Service {
    private let address: LoopbackAddress
    private let routes: Routes
    private let logger: Logger
    private let retry: Duration

    /// How many connections are served at a time; further ones wait.
    private static let connections = 64
    /// How long a connection may be without a whole request.
    private static let patience = TimeAmount.seconds(60)

    /// An API that is not listening yet.
    ///
    /// - Parameters:
    ///   - address: Where to listen.
    ///   - agent: Who knows the answers.
    ///   - heartbeat: How often a silent stream gets a sign of life.
    ///   - retry: How long to wait where the port is taken.
    ///   - logger: Where the API says that it listens, and what went wrong.
    public init(
        address: LoopbackAddress, agent: any AgentQueries, heartbeat: Duration = .seconds(15),
        retry: Duration = .seconds(5), logger: Logger
    ) {
        self.address = address
        self.retry = retry
        routes = Routes(agent: agent, heartbeat: heartbeat)
        self.logger = logger
    }

    /// Serves until it is cancelled or shut down gracefully.
    ///
    /// Whoever takes the port first must not be able to keep an agent from enforcing: it is tried
    /// again until it is free.
    public func run() async throws {
        var problem: String?
        while !Task.isCancelled, !Task.isShuttingDownGracefully {
            do {
                try await application().run()
                return
            } catch is CancellationError {
                return
            } catch {
                if problem != "\(error)" {
                    logger.error(
                        "the API can't listen on \(address): \(error); trying on every \(retry)")
                }
                problem = "\(error)"
            }
            try? await cancelWhenGracefulShutdown { try await Task.sleep(for: retry) }
        }
    }

    private func application() -> some ApplicationProtocol {
        Application(
            router: routes.router(for: .loopback),
            server: .http1(configuration: .init(idleTimeout: Self.patience)),
            configuration: ApplicationConfiguration(
                address: .hostname("\(address.address)", port: Int(address.port)),
                availableConnectionsDelegate: MaximumAvailableConnections(
                    Self.connections, logger: logger.quieter)),
            onServerRunning: { [address, logger] _ in
                logger.info("the API is listening", metadata: ["address": "\(address)"])
            },
            logger: logger.quieter)
    }
}

/// Lets only those in who ask this machine by its own name, and only to read.
struct LoopbackGuard: RouterMiddleware {
    typealias Context = BasicRequestContext

    func handle(
        _ request: Request, context: Context,
        next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        guard let authority = request.head.authority, LoopbackAddress.isNamed(by: authority) else {
            throw APIProblem(
                status: .misdirectedRequest,
                error: "the request is for another host than this one",
                fix: "ask for 127.0.0.1, [::1] or localhost")
        }
        guard request.method == .get else { throw APIProblem.notGet(request) }
        return try await next(request, context)
    }
}

/// What keeps browsers from showing answers to pages of others, and from guessing what they are.
struct CarefulHeaders: RouterMiddleware {
    typealias Context = BasicRequestContext

    func handle(
        _ request: Request, context: Context,
        next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        var response = try await next(request, context)
        for (name, value) in [
            ("X-Content-Type-Options", "nosniff"),
            ("Cross-Origin-Resource-Policy", "same-origin"), ("Cache-Control", "no-store"),
        ] {
            guard let field = HTTPField.Name(name), response.headers[field] == nil else { continue }
            response.headers[field] = value
        }
        return response
    }
}
