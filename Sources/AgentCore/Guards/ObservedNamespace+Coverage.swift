public import Policy

extension ObservedNamespace {
    /// Interfaces by which packets leave without passing the host's end of a veth, so that the host filter doesn't
    /// see them.
    ///
    /// Covered are veths whose other end is the host's, pairs within the namespace, and virtual devices on top of
    /// these. Not covered are devices of the host that were moved here, and links whose other end or lower device
    /// is in another namespace (`IFLA_LINK_NETNSID`).
    ///
    /// - Parameter ends: The host's veths by index.
    /// - Returns: The interfaces, in the order of their indices.
    public func interfacesPastTheHost(
        among ends: [Int32: ObservedInterface]
    ) -> [ObservedInterface] {
        interfaces.filter { interface in
            if interface.index == 1 || hostEnd(of: interface, among: ends) != nil { return false }
            return interface.kind == nil || interface.kind == "wireguard"
                || interface.peerNamespace != nil || interface.lowerNamespace != nil
        }
    }
}
