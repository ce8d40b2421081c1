public import Reports

/// What the API asks of an agent that can be told of endpoints.
public protocol EndpointRegistry: Sendable {
    /// Brings a namespace into force, and answers when it is.
    ///
    /// - Throws: `EnforcementProblem`.
    func enforce(_ request: EnforcementRequest) async throws -> EnforcedEndpoint

    /// Forgets what was announced of a namespace.
    ///
    /// - Throws: `EnforcementProblem`.
    func forget(_ request: EnforcementRequest) async throws
}
