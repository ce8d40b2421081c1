internal import NetTypes
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

    /// The tenants, with what their endpoints counted.
    public func tenants() async throws -> TenantsReport { try await report("/v1/tenants") }

    /// The endpoints, with what they counted.
    public func endpoints() async throws -> EndpointsReport { try await report("/v1/endpoints") }

    /// A page of the rules that are asked for.
    public func rules(_ question: RulesQuestion) async throws -> RulesReport {
        try await report(
            "/v1/rules"
                + query([
                    ("source", question.source?.parameter),
                    ("destination", question.destination?.parameter),
                    ("limit", "\(question.limit)"), ("cursor", question.cursor),
                ]))
    }

    /// Flows that the kernel tracks.
    public func flows(_ question: FlowsQuestion = FlowsQuestion()) async throws -> FlowsReport {
        try await report(
            "/v1/flows" + query([("tenant", question.tenant), ("limit", "\(question.limit)")]))
    }

    /// Who may talk to whom, and who tried.
    public func matrix() async throws -> MatrixReport { try await report("/v1/matrix") }

    /// Generations, lives of agents and drift.
    public func history(limit: Int = 100) async throws -> HistoryReport {
        try await report("/v1/history?limit=\(limit)")
    }

    /// The recorded drift that is asked for.
    public func drift(_ question: DriftQuestion = DriftQuestion()) async throws -> DriftReport {
        try await report(
            "/v1/drift" + query(parameters(question) + [("limit", "\(question.limit)")]))
    }

    /// Hands over drift as it comes, until the agent stops or the task is cancelled.
    ///
    /// What was recorded from `since` on comes first. The next is read when `body` has returned.
    public func followDrift(
        _ question: DriftQuestion = DriftQuestion(),
        _ body: (StreamedDrift) async throws -> Void
    ) async throws {
        let path = "/v1/drift" + query([("follow", "true")] + parameters(question))
        try await forEachLine(of: path) { line in
            try await body(try Self.read(StreamedDrift.self, line, from: path))
        }
    }

    private func parameters(_ question: DriftQuestion) -> [(String, String?)] {
        [("since", question.since?.description), ("tenant", question.tenant)]
    }

    /// The recorded violations that are asked for; all of them as they are.
    public func violations(
        _ question: ViolationsQuestion = ViolationsQuestion()
    ) async throws -> ViolationsReport {
        try await report("/v1/violations" + query(parameters(question)))
    }

    /// Hands over violations as they come, until the agent stops or the task is cancelled.
    ///
    /// Recorded ones from `since` on come first. The next is read when `body` has returned.
    public func followViolations(
        _ question: ViolationsQuestion = ViolationsQuestion(),
        _ body: (StreamedViolation) async throws -> Void
    ) async throws {
        let path = "/v1/violations" + query([("follow", "true")] + parameters(question))
        try await forEachLine(of: path) { line in
            try await body(try Self.read(StreamedViolation.self, line, from: path))
        }
    }

    private func parameters(_ question: ViolationsQuestion) -> [(String, String?)] {
        [
            ("since", question.since?.description), ("until", question.until?.description),
            ("tenant", question.tenant), ("source", question.source?.parameter),
            ("destination", question.destination?.parameter),
            ("reason", question.reason?.rawValue), ("limit", question.limit?.description),
            ("cursor", question.cursor),
        ]
    }

    /// The query of a path; parameters without a value are left out.
    private func query(_ parameters: [(String, String?)]) -> String {
        let given = parameters.compactMap { name, value in
            value.map { "\(name)=\(Self.escaped($0))" }
        }
        return given.isEmpty ? "" : "?" + given.joined(separator: "&")
    }

    /// Percent-encodes everything but RFC 3986's unreserved characters.
    private static func escaped(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: "_"), UInt8(ascii: "~"):
                result.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                result += digits.count == 1 ? "%0\(digits)" : "%\(digits)"
            }
        }
        return result
    }

    /// Whether an agent answers and enforces something.
    public func isReady() async throws -> Bool { try await get("/readyz").status == 200 }

    private func report<Report: Decodable>(_ path: String) async throws -> Report {
        let answer = try await get(path)
        guard answer.status == 200 else { throw answer.refusal }
        return try Self.read(Report.self, answer.body, from: path)
    }

    static func read<Report: Decodable>(
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
