public import NetTypes

/// A claim that was refused.
///
/// The order of right for an address: what the host has itself, what the tenant pins, what the host said it
/// has given or has a route for, and among equals what was configured first. A claim that comes later never changes what the keeper has.
public enum Conflict: Hashable, Sendable {
    /// Endpoints of two tenants, or of one with different labels, have the address, and none of them was first:
    /// it is closed for all of them.
    case sharedAddress(IPAddress, by: [String])
    /// A namespace has an address that is another's by right; it may not use it. The tenant is nil where no
    /// tenant claims the namespace.
    case takenAddress(IPAddress, endpoint: String, tenant: String?, keeper: String)
    /// An endpoint has an address that is not pinned and that the host has no route to it for.
    case unroutedAddress(IPAddress, endpoint: String, tenant: String)
    /// An endpoint has an address outside its tenant's pinned networks.
    case outsidePinned(IPAddress, endpoint: String, tenant: String)
    /// An endpoint has an address inside another tenant's pinned networks.
    case insidePinned(IPAddress, endpoint: String, of: String)
    /// An endpoint has more addresses than one may have. The newest beyond that are refused, in the order in
    /// which they were configured.
    case tooManyAddresses(
        endpoint: String, tenant: String, count: Int, most: Int, refused: [IPAddress])
    /// Several tenants claim the namespace.
    case sharedNamespace(String, tenants: [String])

    /// Whether nobody keeps what is claimed, so that what follows is more than a refused claim.
    public var isUndecided: Bool {
        switch self {
        case .sharedAddress, .sharedNamespace: true
        default: false
        }
    }

    /// The address that the conflict is about; nil where it is about more than one.
    public var address: IPAddress? {
        switch self {
        case .sharedAddress(let address, _), .takenAddress(let address, _, _, _),
            .unroutedAddress(let address, _, _), .outsidePinned(let address, _, _),
            .insidePinned(let address, _, _):
            address
        case .tooManyAddresses, .sharedNamespace: nil
        }
    }
}
