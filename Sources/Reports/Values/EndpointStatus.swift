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
        /// Something that the endpoint has is claimed twice; it is closed.
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

/// Something that two sides claim, and so neither gets.
public struct ConflictStatus: Hashable, Sendable, Codable {
    /// The address or the namespace.
    public var subject: String
    /// The endpoints or tenants that are closed for it.
    public var claimants: [String]
    public var message: String

    public init(subject: String, claimants: [String], message: String) {
        self.subject = subject
        self.claimants = claimants
        self.message = message
    }

    public init(_ conflict: Conflict) {
        switch conflict {
        case .sharedAddress(let address, let claimants):
            self.init(
                subject: address.description, claimants: claimants,
                message: "several endpoints have the address")
        case .outsidePinned(let address, let endpoint, let tenant):
            self.init(
                subject: address.description, claimants: [endpoint],
                message: "the address is outside the networks that tenant \(tenant) pins")
        case .insidePinned(let address, let endpoint, let tenant):
            self.init(
                subject: address.description, claimants: [endpoint],
                message: "the address is inside a network that tenant \(tenant) pins")
        case .tooManyAddresses(let endpoint, let tenant, let count, let most):
            self.init(
                subject: endpoint, claimants: [endpoint],
                message: "it has \(count) addresses, and the first \(most) count; "
                    + "list its networks in 'addresses' of tenant \(tenant), or take some away")
        case .sharedNamespace(let name, let tenants):
            self.init(
                subject: name, claimants: tenants, message: "several tenants claim the namespace")
        }
    }
}
