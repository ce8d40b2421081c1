/// All policies of a directory, checked against each other.
public struct PolicySet: Hashable, Sendable {
    /// By path.
    public let files: [String: PolicyFile]
    /// By name.
    public let tenants: [String: Tenant]

    /// Trusts its caller: `PolicySet(checking:)` is the way in.
    init(files: [String: PolicyFile], tenants: [String: Tenant]) {
        self.files = files
        self.tenants = tenants
    }

    /// No tenants, no rules.
    public static let empty = PolicySet(files: [:], tenants: [:])
}

extension PolicyFile {
    /// The rules of every document, in the order of the file.
    public var rules: [Rule] {
        documents.flatMap { document in
            switch document {
            case .tenant(_, let rules), .policy(_, let rules, _): rules
            }
        }
    }
}
