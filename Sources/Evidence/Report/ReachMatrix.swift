public import Policy
public import Verifier

/// Which tenants' endpoints can open flows to which, by the policies.
public struct ReachMatrix: Hashable, Sendable, Codable {
    /// Tenants by name, then the host and the world.
    public var parties: [String]
    /// By source and destination in the order of the parties; pairs that nothing governs are
    /// left out.
    public var cells: [ReachCell]

    public init(parties: [String], cells: [ReachCell]) {
        self.parties = parties
        self.cells = cells
    }

    /// The matrix of all tenants.
    public init(_ reachability: Reachability, kernel: AuditResult) {
        let summary = reachability.summary()
        let outcomes = Dictionary(grouping: kernel.endpoints, by: \.tenant)
            .mapValues { $0.map(\.outcome).max() ?? .proven }
        parties = summary.parties
        cells = summary.cells.map { cell in
            let asked = [cell.source, cell.destination].compactMap { outcomes[$0] }
            return ReachCell(
                source: cell.source, destination: cell.destination, services: cell.services,
                rules: cell.rules,
                kernel: kernel.unproven.isEmpty
                    ? asked.max() ?? .notProven : max(asked.max() ?? .notProven, .notProven))
        }
    }
}

/// One source and one destination.
public struct ReachCell: Hashable, Sendable, Codable {
    public var source: String
    public var destination: String
    /// What some endpoint of the one can open to some endpoint of the other; empty where nothing.
    public var services: [String]
    /// The rules of the called end, or of the caller's where no endpoint is called.
    public var rules: [RuleReference]
    /// Whether the endpoints of both were proven to do what the policies say.
    public var kernel: AuditOutcome

    public init(
        source: String, destination: String, services: [String], rules: [RuleReference],
        kernel: AuditOutcome
    ) {
        self.source = source
        self.destination = destination
        self.services = services
        self.rules = rules
        self.kernel = kernel
    }

    public var isOpen: Bool { !services.isEmpty }
}
