public import NetTypes

/// A laboratory as a file describes it: checked, with every address given out.
public struct LabTopology: Hashable, Sendable {
    /// How the host joins the namespaces.
    public enum Fabric: String, Hashable, Sendable, CaseIterable {
        /// One bridge; all namespaces share a link.
        case bridged
        /// A route to each address; packets pass the host's IP layer.
        case routed
    }

    public let name: String
    public let fabric: Fabric
    public let subnets: [Prefix]
    public let namespaces: [LabNamespace]
    public let listeners: [LabListener]
    public let translations: [LabTranslation]

    public init(
        name: String, fabric: Fabric, subnets: [Prefix], namespaces: [LabNamespace],
        listeners: [LabListener] = [], translations: [LabTranslation] = []
    ) {
        self.name = name
        self.fabric = fabric
        self.subnets = subnets
        self.namespaces = namespaces
        self.listeners = listeners
        self.translations = translations
    }
}

/// A namespace of a tenant.
public struct LabNamespace: Hashable, Sendable {
    public let name: String
    /// At least one; never two namespaces with the same.
    public let addresses: [IPAddress]

    public init(name: String, addresses: [IPAddress]) {
        self.name = name
        self.addresses = addresses
    }

    /// The address by which others call it.
    public func address(_ family: AddressFamily) -> IPAddress? {
        addresses.first { $0.family == family }
    }
}

/// What `probe` opens in every namespace and tries from every other.
public struct LabListener: Hashable, Sendable, CustomStringConvertible {
    /// TCP or UDP.
    public let ipProtocol: IPProtocol
    public let port: UInt16

    public init(_ ipProtocol: IPProtocol, port: UInt16) {
        self.ipProtocol = ipProtocol
        self.port = port
    }

    public var description: String { "\(ipProtocol)/\(port)" }
}

/// An address translation by the host.
public enum LabTranslation: Hashable, Sendable {
    /// What is sent to one address and port goes to another.
    case destination(IPProtocol, from: IPAddress, port: UInt16, to: IPAddress, toPort: UInt16)
    /// What one network sends seems to come from an address.
    case source(Prefix, to: IPAddress)
    /// What one network sends seems to come from the host.
    case masquerade(Prefix)
}
