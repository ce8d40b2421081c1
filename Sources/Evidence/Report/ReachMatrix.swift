public import Policy
public import Verifier

/// Which tenants' endpoints can open flows to which, by the policies.
public struct ReachMatrix: Hashable, Sendable, Codable {
    /// Tenants by name, then the host and the world.
    public var parties: [String]
    /// By source and destination in the order of the parties; pairs that nothing governs are
    /// left out, and beyond a hundred parties those that are closed.
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
        func cell(
            _ source: String, _ destination: String, _ services: [String],
            _ rules: [RuleReference]
        ) -> ReachCell {
            let asked = [source, destination].compactMap { outcomes[$0] }
            return ReachCell(
                source: source, destination: destination, services: services, rules: rules,
                kernel: kernel.unproven.isEmpty
                    ? asked.max() ?? .notProven : max(asked.max() ?? .notProven, .notProven))
        }
        let parties = summary.parties
        let open = summary.cells.map { cell($0.source, $0.destination, $0.services, $0.rules) }
        guard parties.count <= Self.greatestCount else {
            self.init(parties: parties, cells: open)
            return
        }
        let outside = Set(summary.outside)
        let known = Dictionary(
            uniqueKeysWithValues: open.map { ([$0.source, $0.destination], $0) })
        let cells = parties.flatMap { source in
            parties.filter { !outside.contains(source) || !outside.contains($0) }
                .map { known[[source, $0]] ?? cell(source, $0, [], []) }
        }
        self.init(parties: parties, cells: cells)
    }

    /// Beyond so many parties nobody can read a picture, and a list of all pairs is too long.
    static let greatestCount = 100
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
