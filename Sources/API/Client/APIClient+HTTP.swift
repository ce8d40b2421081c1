import NIOCore
import NIOHTTP1
import NIOPosix

extension APIClient {
    private typealias HTTPChannel = NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>

    /// More than any report of a host that is within the limits.
    private static let greatestAnswer = 256 << 20
    private static let greatestLine = 1 << 20

    /// Asks for a path with its query, and waits for the whole answer, whatever its status.
    ///
    /// - Throws: `APIClientError`, or `CancellationError`.
    public func get(_ path: String) async throws -> APIAnswer {
        try await withThrowingTaskGroup(of: APIAnswer?.self) { group in
            group.addTask { try await answer(to: path) }
            group.addTask {
                try await Task.sleep(for: timeout)
                return nil
            }
            defer { group.cancelAll() }
            guard let answer = try await group.next() ?? nil else {
                throw APIClientError.silent(path: socketPath, after: timeout)
            }
            return answer
        }
    }

    /// Asks for a path, and hands over the answer's lines as they come; empty ones are left out.
    ///
    /// - Throws: `APIClientError`, `CancellationError`, or what `body` throws.
    public func forEachLine(
        of path: String, _ body: ([UInt8]) async throws -> Void
    ) async throws {
        var lines = LineSplitter(greatest: Self.greatestLine)
        var status = 0
        var refusal: [UInt8] = []
        try await request(path) { part in
            switch part {
            case .head(let head): status = Int(head.status.code)
            case .body(let buffer) where status == 200:
                let bytes = [UInt8](buffer.readableBytesView)
                for line in try lines.split(bytes, of: path) { try await body(line) }
            case .body(let buffer): refusal += buffer.readableBytesView
            case .end: break
            }
        }
        guard status == 200 else { throw APIAnswer(status: status, body: refusal).refusal }
    }

    private func answer(to path: String) async throws -> APIAnswer {
        var status = 0
        var body: [UInt8] = []
        try await request(path) { part in
            switch part {
            case .head(let head): status = Int(head.status.code)
            case .body(let buffer):
                body += buffer.readableBytesView
                guard body.count <= Self.greatestAnswer else {
                    throw APIClientError.notUnderstood(request: path, reason: "it has no end")
                }
            case .end: break
            }
        }
        return APIAnswer(status: status, body: body)
    }

    /// Sends a request, and hands over the parts of its answer up to the last.
    private func request(
        _ path: String, _ receive: (HTTPClientResponsePart) async throws -> Void
    ) async throws {
        let channel = try await connect()
        try await channel.executeThenClose { inbound, outbound in
            try await outbound.write(.head(Self.head(path)))
            try await outbound.write(.end(nil))
            for try await part in inbound {
                try await receive(part)
                if case .end = part { return }
            }
            try Task.checkCancellation()
            throw APIClientError.cutOff(path: socketPath)
        }
    }

    private static func head(_ path: String) -> HTTPRequestHead {
        HTTPRequestHead(
            version: .http1_1, method: .GET, uri: path,
            headers: ["host": "ringfence", "connection": "close"])
    }

    private func connect() async throws -> HTTPChannel {
        let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        do {
            return try await bootstrap.connect(unixDomainSocketPath: socketPath) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    return try HTTPChannel(wrappingChannelSynchronously: channel)
                }
            }
        } catch let error as IOError {
            throw APIClientError(connecting: socketPath, errorNumber: error.errnoCode)
        } catch {
            throw APIClientError.connection(path: socketPath, reason: "\(error)")
        }
    }
}
