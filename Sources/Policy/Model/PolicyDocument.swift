/// One checked document of a policy file; what it refers to elsewhere is not checked yet.
public enum PolicyDocument: Hashable, Sendable {
    /// A tenant, and the rules that its `internal`, `world` and `host` settings imply.
    case tenant(Tenant, rules: [Rule])
    /// A policy's rules, never empty, whether they are in force or have expired.
    case policy(PolicyHeader, rules: [Rule], place: SourcePlace)
    /// What has to hold, whatever the policies say.
    case assertion(Assertion)
}

extension PolicyDocument {
    /// The same document in less memory.
    fileprivate var packed: PolicyDocument {
        switch self {
        case .tenant, .assertion: self
        case .policy(let header, let rules, let place):
            .policy(header, rules: Rule.packed(rules), place: place)
        }
    }
}

/// A policy file's documents.
public struct PolicyFile: Hashable, Sendable {
    /// The path as the user would type it.
    public let path: String
    public let documents: [PolicyDocument]
    /// Every place that refers to something that another document may hold.
    public let references: [Reference]

    public init(path: String, documents: [PolicyDocument], references: [Reference]) {
        self.path = path
        self.documents = documents.map(\.packed)
        self.references = references
    }

    /// A name that has to be declared somewhere in the directory.
    public struct Reference: Hashable, Sendable {
        public enum Kind: Hashable, Sendable {
            /// A tenant by name.
            case tenant(String)
            /// A port name, which every tenant that the peers select must declare for the protocol.
            case port(String, protocol: UInt8, of: [Peer])
        }

        public let kind: Kind
        public let place: SourcePlace

        public init(kind: Kind, place: SourcePlace) {
            self.kind = kind
            self.place = place
        }
    }
}
