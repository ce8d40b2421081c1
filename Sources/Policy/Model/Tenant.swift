public import NetTypes

/// An owner of endpoints.
public struct Tenant: Hashable, Sendable {
    public let name: String
    public let labels: Labels
    /// Which namespaces are the tenant's, with the labels that each claim gives them.
    public let claims: [EndpointClaim]
    /// Where the tenant's addresses must lie; nil leaves them free.
    public let pinned: [Prefix]?
    public let ports: [NamedPort]
    public let place: SourcePlace

    public init(
        name: String, labels: Labels, claims: [EndpointClaim], pinned: [Prefix]?,
        ports: [NamedPort], place: SourcePlace
    ) {
        self.name = name
        self.labels = labels
        self.claims = claims
        self.pinned = pinned
        self.ports = ports
        self.place = place
    }
}

/// How a tenant says that a namespace is its endpoint.
public struct EndpointClaim: Hashable, Sendable {
    public enum Target: Hashable, Sendable {
        /// The name of a namespace mount; `*`, `?` and `[...]` match as in glob(7).
        case name(String)
        /// The path of a bind mount.
        case path(String)
        /// A process that lives in the namespace.
        case pid(Int32)
    }

    public let target: Target
    public let labels: Labels
    public let place: SourcePlace

    public init(target: Target, labels: Labels, place: SourcePlace) {
        self.target = target
        self.labels = labels
        self.place = place
    }
}
