public import Reports

/// Asks an agent over its Unix socket.
public struct APIClient: Sendable {
    public let socketPath: String
    /// How long an answer may take.
    public let timeout: Duration

    /// A client that connects anew for every question.
    public init(socketPath: String, timeout: Duration = .seconds(30)) {
        self.socketPath = socketPath
        self.timeout = timeout
    }

    /// What the agent is doing.
    public func status() async throws -> StatusReport { try await report("/v1/status") }

    /// What passed and what was refused.
    public func counters() async throws -> CountersReport { try await report("/v1/counters") }

    /// The recorded violations, or those from a moment on.
    public func violations(since: Timestamp? = nil) async throws -> ViolationsReport {
        try await report("/v1/violations" + (since.map { "?since=\($0)" } ?? ""))
    }

    /// Hands over violations as they come, until the agent stops or the task is cancelled.
    ///
    /// Recorded ones from `since` on come first. The next is read when `body` has returned.
    public func followViolations(
        since: Timestamp? = nil, _ body: (StreamedViolation) async throws -> Void
    ) async throws {
        let path = "/v1/violations?follow=true" + (since.map { "&since=\($0)" } ?? "")
        try await forEachLine(of: path) { line in
            try await body(try Self.read(StreamedViolation.self, line, from: path))
        }
    }

    /// Whether an agent answers and enforces something.
    public func isReady() async throws -> Bool { try await get("/readyz").status == 200 }

    private func report<Report: Decodable>(_ path: String) async throws -> Report {
        let answer = try await get(path)
        guard answer.status == 200 else { throw answer.refusal }
        return try Self.read(Report.self, answer.body, from: path)
    }

    private static func read<Report: Decodable>(
        _ type: Report.Type, _ bytes: [UInt8], from path: String
    ) throws -> Report {
        do {
            return try ReportJSON.read(type, from: bytes)
        } catch {
            throw APIClientError.notUnderstood(request: path, reason: "\(error)")
        }
    }
}

/// A whole answer.
public struct APIAnswer: Hashable, Sendable {
    /// The HTTP status.
    public let status: Int
    public let body: [UInt8]

    /// The error that an answer other than 200 stands for.
    var refusal: APIClientError {
        let problem = try? ReportJSON.read(APIProblem.self, from: body)
        return .refused(
            status: status, error: problem?.error ?? String(decoding: body, as: UTF8.self),
            fix: problem?.fix ?? "see the log of the agent")
    }
}
