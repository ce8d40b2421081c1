/// Which policies speak of which tenant: among a hundred thousand rules few come near to a flow.
public struct MentionIndex: Sendable {
    /// The rules of each policy that names the tenant.
    private var named: [String: [[Rule]]] = [:]
    /// Those of policies that mean parties by anything but the name of a tenant.
    private var others: [[Rule]] = []

    /// Looks at every policy once.
    public init(_ policies: PolicySet) {
        for file in policies.files.values {
            for document in file.documents {
                switch document {
                case .tenant(_, let rules), .policy(_, let rules, _): note(rules)
                case .assertion: break
                }
            }
        }
    }

    private mutating func note(_ rules: [Rule]) {
        var names: Set<String> = []
        var hasOthers = false
        var known: Rule?
        for rule in rules where known?.sharesPeers(with: rule) != true {
            known = rule
            for peers in [rule.from, rule.to] {
                for peer in peers {
                    if case .endpoints(of: .name(let name), _) = peer {
                        names.insert(name)
                    } else {
                        hasOthers = true
                    }
                }
            }
        }
        if hasOthers { return others.append(rules) }
        for name in names { named[name, default: []].append(rules) }
    }

    /// All policies that may name one of the ends, some of them twice.
    func policies(near question: Question) -> [[Rule]] {
        var found = others
        for tenant in [question.source.tenant, question.destination.tenant] {
            if let tenant { found += named[tenant.name] ?? [] }
        }
        return found
    }
}
