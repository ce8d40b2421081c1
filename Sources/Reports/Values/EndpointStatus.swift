public import NetTypes
public import Policy

/// One endpoint, and whether the kernel enforces its rules.
public struct EndpointStatus: Hashable, Sendable, Codable {
    public enum State: String, Hashable, Sendable, Codable, CaseIterable {
        /// The kernel holds exactly what was compiled.
        case enforced
        /// Everything is refused until the first rules are in force.
        case closed
        /// The last change failed; what was in force before still is, and it is tried again.
        case dirty
        /// What the kernel holds has not been read yet.
        case unknown
        /// It has an address that it may not use; all else is as for `enforced`.
        case conflict
    }

    public var name: String
    public var tenant: String
    public var state: State
    public var addresses: [IPAddress]
    /// The number of the state that the kernel holds; nil before the first.
    public var generation: UInt64?
    public var lastError: String?

    public init(
        name: String, tenant: String, state: State, addresses: [IPAddress],
        generation: UInt64? = nil, lastError: String? = nil
    ) {
        self.name = name
        self.tenant = tenant
        self.state = state
        self.addresses = addresses
        self.generation = generation
        self.lastError = lastError
    }
}

/// A namespace that no tenant claims: left alone, or closed if it was an endpoint before.
public struct UnknownNamespace: Hashable, Sendable, Codable {
    public var name: String
    public var id: NamespaceID
    public var addresses: [IPAddress]
    /// Whether a table without rules is in force there, which closes it; nil where that isn't known.
    public var isClosed: Bool?

    public init(
        name: String, id: NamespaceID, addresses: [IPAddress] = [], isClosed: Bool? = nil
    ) {
        self.isClosed = isClosed
        self.name = name
        self.id = id
        self.addresses = addresses
    }
}

/// A claim that was refused.
public struct ConflictStatus: Hashable, Sendable, Codable {
    /// The address or the namespace.
    public var subject: String
    /// The endpoints or tenants whose claim is refused: what others have stays as it is.
    public var claimants: [String]
    /// Who keeps the subject, such as an endpoint, a tenant or the host; nil where nobody does.
    public var keeper: String?
    public var message: String

    /// - Parameters:
    ///   - subject: The address or the namespace.
    ///   - claimants: The endpoints or tenants whose claim is refused.
    ///   - keeper: Who keeps the subject; nil where nobody does.
    ///   - message: What follows, and what to do.
    public init(subject: String, claimants: [String], keeper: String? = nil, message: String) {
        self.subject = subject
        self.claimants = claimants
        self.keeper = keeper
        self.message = message
    }

    public init(_ conflict: Conflict) {
        switch conflict {
        case .sharedAddress(let address, let claimants):
            self.init(
                subject: address.description, claimants: claimants,
                message: "they configured the address at the same time, "
                    + "and none of them may use it; take it from all but one, "
                    + "or list it in 'addresses' of one tenant")
        case .takenAddress(let address, let endpoint, let tenant, let keeper):
            self.init(
                subject: address.description, claimants: [endpoint], keeper: keeper,
                message: "\(keeper) keeps the address, and \(endpoint) may not use it; "
                    + "take it from \(endpoint)" + Self.pinning(tenant, keeper))
        case .unroutedAddress(let address, let endpoint, let tenant):
            self.init(
                subject: address.description, claimants: [endpoint],
                message: "the host has no route for the address to \(endpoint), "
                    + "which may not use it; add a route on the host, "
                    + "or list it in 'addresses' of tenant \(tenant)")
        case .outsidePinned(let address, let endpoint, let tenant):
            self.init(
                subject: address.description, claimants: [endpoint],
                message: "the address is outside the networks that tenant \(tenant) pins, "
                    + "and \(endpoint) may not use it")
        case .insidePinned(let address, let endpoint, let tenant):
            self.init(
                subject: address.description, claimants: [endpoint], keeper: tenant,
                message: "the address is inside a network that tenant \(tenant) pins, "
                    + "and \(endpoint) may not use it")
        case .tooManyAddresses(let endpoint, let tenant, let count, let most, let refused):
            let named = refused.prefix(8).map(\.description).joined(separator: ", ")
            let more = refused.count > 8 ? " and \(refused.count - 8) more" : ""
            self.init(
                subject: endpoint, claimants: [endpoint],
                message: "it has \(count) addresses, and the \(most) that it had first count; "
                    + "it may not use \(named)\(more); take some away, or list the networks that count in "
                    + "'addresses' of tenant \(tenant)")
        case .sharedNamespace(let name, let tenants):
            self.init(
                subject: name, claimants: tenants, message: "several tenants claim the namespace")
        }
    }

    /// What else a claimant's operator can do; nothing outweighs the host's own addresses.
    private static func pinning(_ tenant: String?, _ keeper: String) -> String {
        guard let tenant, keeper != "host" else { return "" }
        return ", or list it in 'addresses' of tenant \(tenant) if it is \(tenant)'s"
    }
}
