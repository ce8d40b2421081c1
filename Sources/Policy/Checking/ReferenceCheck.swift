import NetTypes

/// Whether what documents refer to is declared.
///
/// Equal references are looked up once: many policies speak of the same tenants and ports.
struct ReferenceCheck {
    private struct Trouble {
        let message: String
        let fix: String
    }

    private let tenants: [String: Tenant]
    private var known: [PolicyFile.Reference.Kind: Trouble?] = [:]
    private var selected: [TenantSelector: [String]] = [:]
    private let declared: DeclaredPorts

    init(_ tenants: [String: Tenant], _ declared: DeclaredPorts) {
        self.tenants = tenants
        self.declared = declared
    }

    mutating func check(_ file: PolicyFile, _ findings: inout Findings) {
        for reference in file.references {
            guard let trouble = trouble(with: reference.kind) else { continue }
            findings.report(trouble.message, fix: trouble.fix, at: reference.place)
        }
    }

    private mutating func trouble(with kind: PolicyFile.Reference.Kind) -> Trouble? {
        // A look at the tenants by name is cheaper than one at what is known already.
        if case .tenant(let name) = kind, tenants[name] != nil { return nil }
        if let known = known[kind] { return known }
        let trouble =
            switch kind {
            case .tenant(let name): unknownTenant(name)
            case .port(let name, let number, let peers): missingPort(name, number, peers)
            }
        known[kind] = .some(trouble)
        return trouble
    }

    private func unknownTenant(_ name: String) -> Trouble {
        let nearest = tenants.keys.nearest(to: name)
        return Trouble(
            message: "no tenant is called \(name.quoted)",
            fix: (nearest.map { "write '\($0)', or " } ?? "")
                + "add a document 'kind: Tenant' with that name")
    }

    private mutating func missingPort(_ name: String, _ number: UInt8, _ peers: [Peer]) -> Trouble?
    {
        let having = declared.tenants(declaring: name, number)
        let lacking = Set(peers.flatMap { names(of: $0) }).subtracting(having).sorted()
        guard let first = lacking.first.flatMap({ tenants[$0] }) else { return nil }
        let others = lacking.count > 1 ? " (and \(lacking.count - 1) more don't either)" : ""
        let word = IPProtocol(rawValue: number)
        let nearest = first.ports.filter { $0.ipProtocol == word }.map(\.name).nearest(to: name)
        return Trouble(
            message: "tenant \(first.name.quoted) declares no \(word) port \(name.quoted)\(others)",
            fix: (nearest.map { "write '\($0)', or " } ?? "")
                + "add '\(name): {protocol: \(word), port: NUMBER}' to the ports of"
                + " '\(first.name)', or write the number here")
    }

    private mutating func names(of peer: Peer) -> [String] {
        guard case .endpoints(of: let selector, _) = peer else { return [] }
        if case .name(let name) = selector { return tenants[name] == nil ? [] : [name] }
        if let names = selected[selector] { return names }
        let names = tenants.values.filter { selector.matches($0) }.map(\.name)
        selected[selector] = names
        return names
    }
}

/// Which tenants declare a port name for a protocol.
struct DeclaredPorts: Sendable {
    private struct Key: Hashable {
        let name: String
        let number: UInt8
    }

    private var tenants: [Key: Set<String>] = [:]

    init(_ tenants: some Sequence<Tenant>) {
        for tenant in tenants {
            for port in tenant.ports {
                let key = Key(name: port.name, number: port.ipProtocol.rawValue)
                self.tenants[key, default: []].insert(tenant.name)
            }
        }
    }

    func tenants(declaring name: String, _ number: UInt8) -> Set<String> {
        tenants[Key(name: name, number: number)] ?? []
    }
}
