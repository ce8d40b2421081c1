public import NetTypes

/// A host end of a veth that stays guarded although no endpoint is there any more.
public struct HeldLinkStatus: Hashable, Sendable, Codable {
    /// Its name in the host namespace.
    public var link: String
    /// Whether the host filter closes it; without the host filter nothing does, and only the addresses are kept from
    /// being the world's.
    public var isClosed: Bool
    /// Why no endpoint is there, in words.
    public var reason: String
    public var since: Timestamp
    /// The tenant and the endpoint that were there last; nil where that is not known.
    public var tenant: String?
    public var endpoint: String?
    /// The endpoint's addresses, which stay local as long.
    public var addresses: [IPAddress]

    public init(
        link: String, isClosed: Bool, reason: String, since: Timestamp, tenant: String? = nil,
        endpoint: String? = nil, addresses: [IPAddress] = []
    ) {
        self.link = link
        self.isClosed = isClosed
        self.reason = reason
        self.since = since
        self.tenant = tenant
        self.endpoint = endpoint
        self.addresses = addresses
    }
}

/// Asks the agent to end the guard of a held link.
public struct LinkReleaseRequest: Hashable, Sendable, Codable {
    /// The link's name in the host namespace.
    public var link: String

    public init(link: String) { self.link = link }
}
