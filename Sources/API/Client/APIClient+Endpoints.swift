public import Reports

extension APIClient {
    /// Waits until a namespace is enforced.
    ///
    /// - Throws: `APIClientError`: `refused` where the agent says that it is not, and why.
    public func enforce(_ request: EnforcementRequest) async throws -> EnforcedEndpoint {
        let path = "/v1/endpoints/await"
        // The agent answers by then; a little later it is known that it doesn't.
        let answer = try await post(
            ReportJSON.line(request), to: path, within: request.wait + .seconds(5))
        guard answer.status == 200 else { throw answer.refusal }
        return try Self.read(EnforcedEndpoint.self, answer.body, from: path)
    }

    /// Tells the agent that a namespace which was announced is not a tenant's any more.
    public func forget(_ request: EnforcementRequest) async throws {
        let answer = try await post(
            ReportJSON.line(request), to: "/v1/endpoints/forget", within: timeout)
        guard answer.status == 200 else { throw answer.refusal }
    }

    /// Ends the guard of a link at which no endpoint is any more.
    public func releaseLink(_ request: LinkReleaseRequest) async throws {
        let answer = try await post(
            ReportJSON.line(request), to: "/v1/links/release", within: timeout)
        guard answer.status == 200 else { throw answer.refusal }
    }

    /// Confirms that the policy directory is meant to be empty.
    public func confirmEmptyDirectory() async throws {
        let answer = try await post(
            Array("{}".utf8), to: "/v1/policies/confirm-empty", within: timeout)
        guard answer.status == 200 else { throw answer.refusal }
    }
}
