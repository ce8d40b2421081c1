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

    /// Ends the guard of a link at which no endpoint is any more: everything passes there from then on.
    ///
    /// - Throws: `EnforcementProblem` where no such link is held.
    func release(_ request: LinkReleaseRequest) async throws

    /// Takes an operator's word that the empty policy directory is meant: every rule ends.
    ///
    /// - Throws: `EnforcementProblem` where there is nothing to confirm.
    func confirmEmptyDirectory() async throws
}
