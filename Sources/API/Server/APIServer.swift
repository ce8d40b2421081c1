import Hummingbird
public import Logging
public import ServiceLifecycle

/// The HTTP API on a Unix socket that only its owner can open.
public struct APIServer: Service {
    private let path: String
    private let routes: Routes
    private let logger: Logger

    /// An API that is not listening yet.
    ///
    /// - Parameters:
    ///   - socketPath: Where to listen; its directory is made if there is none.
    ///   - agent: Who knows the answers.
    ///   - registry: Who is told of new endpoints; without it nobody can be.
    ///   - heartbeat: How often a silent stream gets an empty line.
    ///   - logger: Where the API says that it listens, and what went wrong.
    public init(
        socketPath: String, agent: any AgentQueries, registry: (any EndpointRegistry)? = nil,
        heartbeat: Duration = .seconds(15), logger: Logger
    ) {
        path = socketPath
        routes = Routes(agent: agent, heartbeat: heartbeat, registry: registry)
        self.logger = logger
    }

    /// Serves until it is cancelled or shut down gracefully, then removes the socket.
    ///
    /// - Throws: `APIServerError` if the socket can't be made or another agent listens on it.
    public func run() async throws {
        let socket = try SocketFile(path: path)
        try socket.makeDirectory()
        let lock = try SocketLock(for: path)
        try await socket.prepare()
        defer { socket.removeStaging() }
        try await serve(on: socket)
        _ = consume lock
    }

    private func serve(on socket: SocketFile) async throws {
        let (failures, failure) = AsyncStream.makeStream(of: APIServerError.self)
        let application = Application(
            router: routes.router(for: .socket),
            configuration: ApplicationConfiguration(
                address: .unixDomainSocket(path: socket.stagingPath)),
            onServerRunning: { [path, logger] channel in
                do throws(APIServerError) {
                    try socket.publish()
                    logger.info("the API is listening", metadata: ["socket": "\(path)"])
                } catch {
                    failure.yield(error)
                    channel.close(promise: nil)
                }
            },
            logger: logger.quieter)
        let result: Result<Void, any Error>
        do { result = .success(try await application.run()) } catch { result = .failure(error) }
        failure.finish()
        for await error in failures { throw error }
        socket.remove()
        try result.get()
    }
}

extension Logger {
    /// The framework's own notes name the staging path and every request.
    var quieter: Logger {
        var logger = self
        logger.logLevel = max(logLevel, .warning)
        return logger
    }
}
