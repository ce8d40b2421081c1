/// Which policies speak of which tenant: among a hundred thousand rules few come near to a flow.
public struct MentionIndex: Sendable {
    /// By tenant, by file: the rules of each policy that names the tenant.
    private var named: [String: [String: [[Rule]]]] = [:]
    /// By file: those of policies that mean parties by anything but the name of a tenant.
    private var others: [String: [[Rule]]] = [:]
    /// By file: the tenants under whose names it stands.
    private var names: [String: Set<String>] = [:]

    /// Looks at every policy once.
    public init(_ policies: PolicySet) {
        for file in policies.files.values { note(file) }
    }

    /// Follows a change of some files: what it then finds is what an index of all of them finds.
    ///
    /// - Parameters:
    ///   - policies: The policies after the change.
    ///   - paths: The files that have changed, came, or went.
    public mutating func follow(_ policies: PolicySet, changed paths: Set<String>) {
        for path in paths {
            others[path] = nil
            for name in names.removeValue(forKey: path) ?? [] {
                named[name]?[path] = nil
                if named[name]?.isEmpty == true { named[name] = nil }
            }
            if let file = policies.files[path] { note(file) }
        }
    }

    private mutating func note(_ file: PolicyFile) {
        for document in file.documents {
            // One that has expired may be the closest.
            note(document.writtenRules, of: file.path)
        }
    }

    private mutating func note(_ rules: [Rule], of path: String) {
        var mentioned: Set<String> = []
        var hasOthers = false
        var known: Rule?
        for rule in rules where known?.sharesPeers(with: rule) != true {
            known = rule
            for peers in [rule.from, rule.to] {
                for peer in peers {
                    if case .endpoints(of: .name(let name), _) = peer {
                        mentioned.insert(name)
                    } else {
                        hasOthers = true
                    }
                }
            }
        }
        if hasOthers { return others[path, default: []].append(rules) }
        for name in mentioned { named[name, default: [:]][path, default: []].append(rules) }
        names[path, default: []].formUnion(mentioned)
    }

    /// All policies that may name one of the ends, some of them twice.
    func policies(near question: Question) -> [[Rule]] {
        var found = others.values.flatMap(\.self)
        for tenant in [question.source.tenant, question.destination.tenant] {
            if let tenant { found += named[tenant.name]?.values.flatMap(\.self) ?? [] }
        }
        return found
    }
}
