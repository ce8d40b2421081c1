/// All policies of a directory, checked against each other.
public struct PolicySet: Hashable, Sendable {
    public let files: PolicyFiles
    /// By name.
    public let tenants: [String: Tenant]
    /// Follows from `files`, so it has no say in equality.
    let names: PolicyNames
    /// Follows from `tenants`.
    let ports: DeclaredPorts

    /// Trusts its caller: `PolicySet(checking:)` is the way in.
    init(
        files: PolicyFiles, tenants: [String: Tenant], names: PolicyNames,
        ports: DeclaredPorts
    ) {
        self.files = files
        self.tenants = tenants
        self.names = names
        self.ports = ports
    }

    /// No tenants, no rules.
    public static let empty = PolicySet(
        files: PolicyFiles([]), tenants: [:], names: PolicyNames(), ports: DeclaredPorts([]))

    public static func == (left: PolicySet, right: PolicySet) -> Bool {
        left.files == right.files && left.tenants == right.tenants
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(files)
        hasher.combine(tenants)
    }
}

extension PolicyFile {
    /// The rules of every document that are in force, in the order of the file.
    public var rules: [Rule] {
        documents.flatMap(\.rules)
    }
}

extension PolicyDocument {
    /// The rules that it states or implies and that are in force, in the order of the file.
    public var rules: [Rule] {
        if case .policy(let header, _, _) = self, header.hasExpired { return [] }
        return writtenRules
    }

    /// The rules that it states or implies, those that have expired as well, in the order of the file.
    var writtenRules: [Rule] {
        switch self {
        case .tenant(_, let rules), .policy(_, let rules, _): rules
        case .assertion: []
        }
    }
}
