public import NetTypes

/// Whose a namespace is by the claims of the tenants.
public enum NamespaceOwner: Hashable, Sendable {
    case tenant(String)
    /// Several tenants claim it, sorted by name.
    case contested([String])
    case unclaimed
}

extension PolicySet {
    /// The claims of the files that mean a namespace, whoever it belongs to in the end.
    ///
    /// - Parameter paths: The paths of its mounts.
    /// - Returns: The claims, in the order of their places.
    public func claims(ofMounts paths: [String]) -> [EndpointClaim] {
        let namespace = ObservedNamespace(
            id: NamespaceID(device: 0, inode: 0), paths: paths, pids: [], interfaces: [])
        return ClaimIndex(tenants.values).matches(namespace)
            .compactMap { tenants[$0.tenant]?.claims[$0.order] }
            .sorted { $0.place < $1.place }
    }

    /// Whose namespaces are, before anything is computed about their addresses.
    ///
    /// - Parameters:
    ///   - namespaces: What was observed; the host's own namespace must not be among them.
    ///   - announced: Claims beside those of the files, by tenant.
    /// - Returns: The owner of each.
    public func owners(
        of namespaces: some Sequence<ObservedNamespace>,
        announced: [String: [EndpointClaim]] = [:]
    ) -> [NamespaceID: NamespaceOwner] {
        var tenants = tenants
        for (name, claims) in announced { tenants[name] = tenants[name]?.claiming(claims) }
        let index = ClaimIndex(tenants.values)
        return namespaces.reduce(into: [:]) { owners, namespace in
            let names = Set(index.matches(namespace).map(\.tenant)).sorted()
            owners[namespace.id] =
                names.count > 1
                ? .contested(names) : names.first.map { .tenant($0) } ?? .unclaimed
        }
    }
}
