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
        try await exchange(Call(path: path), within: timeout)
    }

    /// Sends something to a path, and waits for the whole answer, whatever its status.
    ///
    /// - Throws: `APIClientError`, or `CancellationError`.
    func post(
        _ body: [UInt8], to path: String, within timeout: Duration
    ) async throws -> APIAnswer {
        try await exchange(Call(path: path, method: .POST, body: body), within: timeout)
    }

    private struct Call: Sendable {
        let path: String
        var method = HTTPMethod.GET
        var body: [UInt8] = []

        var head: HTTPRequestHead {
            var headers: HTTPHeaders = ["host": "ringfence", "connection": "close"]
            if method == .POST {
                headers.add(name: "content-type", value: "application/json")
                headers.add(name: "content-length", value: "\(body.count)")
            }
            return HTTPRequestHead(version: .http1_1, method: method, uri: path, headers: headers)
        }
    }

    private func exchange(_ call: Call, within timeout: Duration) async throws -> APIAnswer {
        try await withThrowingTaskGroup(of: APIAnswer?.self) { group in
            group.addTask { try await answer(to: call) }
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
        try await request(Call(path: path)) { part in
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

    private func answer(to call: Call) async throws -> APIAnswer {
        var status = 0
        var body: [UInt8] = []
        try await request(call) { part in
            switch part {
            case .head(let head): status = Int(head.status.code)
            case .body(let buffer):
                body += buffer.readableBytesView
                guard body.count <= Self.greatestAnswer else {
                    throw APIClientError.notUnderstood(
                        request: call.path, reason: "it has no end")
                }
            case .end: break
            }
        }
        return APIAnswer(status: status, body: body)
    }

    /// Sends a request, and hands over the parts of its answer up to the last.
    private func request(
        _ call: Call, _ receive: (HTTPClientResponsePart) async throws -> Void
    ) async throws {
        let channel = try await connect()
        var isComplete = false
        do {
            try await channel.executeThenClose { inbound, outbound in
                try await outbound.write(.head(call.head))
                if !call.body.isEmpty {
                    try await outbound.write(.body(.byteBuffer(ByteBuffer(bytes: call.body))))
                }
                try await outbound.write(.end(nil))
                for try await part in inbound {
                    try await receive(part)
                    guard case .end = part else { continue }
                    isComplete = true
                    return
                }
                try Task.checkCancellation()
                throw APIClientError.cutOff(path: socketPath)
            }
        } catch  where isComplete {
            // The server closes behind its answer; who closes second finds it closed.
        }
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
