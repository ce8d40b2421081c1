public import NetTypes

/// One entry of a rule's `from` or `to`.
public enum Peer: Hashable, Sendable {
    /// Endpoints of the tenants, all of them or those whose labels match.
    case endpoints(of: TenantSelector, LabelSelector?)
    /// Addresses, whoever has them.
    case network(Prefix, except: [Prefix])
    /// Every address that is no endpoint's, not the host's, and no group, loopback or link-local
    /// address.
    case world
    /// The addresses of the host namespace.
    case host

    /// Whether the peer names tenants: only such a peer opens an endpoint.
    public var selectsEndpoints: Bool {
        if case .endpoints = self { true } else { false }
    }
}

/// Which tenants a peer names.
public enum TenantSelector: Hashable, Sendable {
    case name(String)
    case labels(LabelSelector)

    public func matches(_ tenant: Tenant) -> Bool {
        switch self {
        case .name(let name): tenant.name == name
        case .labels(let selector): selector.matches(tenant.labels)
        }
    }
}

extension Peer: CustomStringConvertible {
    public var description: String {
        switch self {
        case .endpoints(of: .name(let name), nil): name
        case .endpoints(of: .name(let name), .some(let endpoints)): "\(name) (\(endpoints))"
        case .endpoints(of: .labels(let tenants), nil): "tenants \(tenants)"
        case .endpoints(of: .labels(let tenants), .some(let endpoints)):
            "tenants \(tenants) (\(endpoints))"
        case .network(let prefix, let except):
            except.isEmpty ? "\(prefix)" : "\(prefix) except \(Self.list(except))"
        case .world: "world"
        case .host: "host"
        }
    }

    /// The networks, or the first of them where they are many.
    private static func list(_ networks: [Prefix]) -> String {
        let shown = networks.prefix(16).map(\.description).joined(separator: ", ")
        return networks.count > 16 ? "\(shown) and \(networks.count - 16) more" : shown
    }
}
