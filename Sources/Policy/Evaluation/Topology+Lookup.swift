public import NetTypes

extension Topology {
    /// The endpoint that has the address alone.
    public func endpoint(with address: IPAddress) -> Endpoint? {
        endpoints.first { $0.addresses.contains(address) }
    }

    /// Whether the address is what rules call the world.
    public func isWorld(_ address: IPAddress) -> Bool {
        address.isRoutable && !local.contains(address) && !host.contains(address)
    }
}

extension IPAddress {
    /// Whether one particular machine beyond the link can have the address.
    var isRoutable: Bool {
        !isLoopback && !isLinkLocal && !isMulticastOrBroadcast && !isUnspecified
    }

    private var isUnspecified: Bool { self == .v4(0) || self == .v6(0) }
}
