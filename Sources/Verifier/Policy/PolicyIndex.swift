internal import NetTypes
public import Policy

/// What policies say, arranged by endpoint; made once for a whole audit.
///
/// It means what the reference evaluator means (`PolicySet.verdict`), only that addresses which
/// rules treat alike are judged together. It shares nothing with the compiler.
public struct PolicyIndex: Sendable {
    public let policies: PolicySet
    public let topology: Topology
    private var openings: [[PolicyOpening]]

    public init(_ policies: PolicySet, in topology: Topology) {
        self.policies = policies
        self.topology = topology
        openings = Array(repeating: [], count: topology.endpoints.count)
        var peers = PeerIndex(policies, topology)
        for file in policies.files.inOrder {
            for rules in Self.alike(file.rules) { add(rules, &peers) }
        }
    }

    /// Rules in a row that speak of the same peers.
    private static func alike(_ rules: [Rule]) -> [ArraySlice<Rule>] {
        var runs: [ArraySlice<Rule>] = []
        var start = 0
        for index in 1..<max(rules.count + 1, 1) {
            if index < rules.count, rules[index].from == rules[start].from,
                rules[index].to == rules[start].to
            {
                continue
            }
            if start < rules.count { runs.append(rules[start..<index]) }
            start = index
        }
        return runs
    }

    private mutating func add(_ rules: ArraySlice<Rule>, _ peers: inout PeerIndex) {
        guard let first = rules.first else { return }
        for direction in Direction.allCases {
            let (near, far) =
                direction == .egress ? (first.from, first.to) : (first.to, first.from)
            let selected = peers.selected(by: near)
            if selected.isEmpty { continue }
            let addresses = peers.addresses(of: far)
            let namesPorts = rules.contains {
                if case .ports(_, _, let names) = $0.service { !names.isEmpty } else { false }
            }
            let rules = Array(rules)
            if direction == .egress, namesPorts {
                // A port's name means what the called tenant says.
                let parts = peers.byNames(addresses)
                for (names, part) in parts {
                    let opening = PolicyOpening(direction, part, rules, names)
                    for index in selected { openings[index].append(opening) }
                }
                // It opens nothing as long as nobody is there, and is a rule of the endpoint.
                if !parts.isEmpty { continue }
            }
            let opening = PolicyOpening(direction, addresses, rules, [])
            for index in selected {
                let names = namesPorts ? peers.names(of: topology.endpoints[index]) : []
                openings[index].append(
                    names.isEmpty ? opening : PolicyOpening(direction, addresses, rules, names))
            }
        }
    }

    func openings(of endpoint: Int) -> [PolicyOpening] { openings[endpoint] }
}

/// Rules that open an endpoint in one direction for the same addresses.
final class PolicyOpening: Sendable {
    let direction: Direction
    let peers: AddressSet
    let rules: [Rule]
    /// What port names mean here.
    let names: [NamedPort]

    init(_ direction: Direction, _ peers: AddressSet, _ rules: [Rule], _ names: [NamedPort]) {
        self.direction = direction
        self.peers = peers
        self.rules = rules
        self.names = names
    }
}

/// Who is meant by peers, found once for each.
struct PeerIndex {
    private let policies: PolicySet
    private let topology: Topology
    private let byTenant: [String: [Int]]
    private let world: AddressSet
    private var selected: [[Peer]: [Int]] = [:]
    private var addresses: [[Peer]: AddressSet] = [:]

    init(_ policies: PolicySet, _ topology: Topology) {
        self.policies = policies
        self.topology = topology
        byTenant = Dictionary(grouping: topology.endpoints.indices) {
            topology.endpoints[$0].tenant
        }
        world = Self.routable.subtracting(topology.local).subtracting(topology.host)
    }

    /// What one particular machine beyond the link can have as its address.
    private static let routable: AddressSet = {
        let nobody = [
            "0.0.0.0", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "255.255.255.255", "::",
            "::1", "fe80::/10", "ff00::/8",
        ]
        return AddressSet.all.subtracting(
            AddressSet(nobody.compactMap { try? Prefix(parsing: $0) }))
    }()

    /// The endpoints that peers name, by their places in the topology.
    mutating func selected(by peers: [Peer]) -> [Int] {
        if let known = selected[peers] { return known }
        let found = Set(peers.flatMap { endpoints(of: $0) }).sorted()
        selected[peers] = found
        return found
    }

    private func endpoints(of peer: Peer) -> [Int] {
        guard case .endpoints(let selector, let labels) = peer else { return [] }
        let tenants: [String] =
            switch selector {
            case .name(let name): policies.tenants[name] == nil ? [] : [name]
            case .labels(let wanted):
                policies.tenants.values.filter { wanted.matches($0.labels) }.map(\.name)
            }
        return tenants.flatMap { byTenant[$0] ?? [] }
            .filter { labels?.matches(topology.endpoints[$0].labels) ?? true }
    }

    /// The addresses that peers mean.
    mutating func addresses(of peers: [Peer]) -> AddressSet {
        if let known = addresses[peers] { return known }
        let found = AddressSet(unionOf: peers.map { addresses(of: $0) })
        addresses[peers] = found
        return found
    }

    private func addresses(of peer: Peer) -> AddressSet {
        switch peer {
        case .endpoints:
            AddressSet(endpoints(of: peer).flatMap { topology.endpoints[$0].addresses })
        case .network(let prefix, let except):
            prefix.addresses.subtracting(AddressSet(except))
        case .world: world
        case .host: topology.host
        }
    }

    func names(of endpoint: Endpoint) -> [NamedPort] {
        policies.tenants[endpoint.tenant]?.ports ?? []
    }

    /// Addresses by what their tenants call ports.
    func byNames(_ addresses: AddressSet) -> [(names: [NamedPort], addresses: AddressSet)] {
        var parts: [(names: [NamedPort], addresses: AddressSet)] = []
        var rest = addresses
        for (tenant, members) in byTenant.sorted(by: { $0.key < $1.key }) {
            guard let names = policies.tenants[tenant]?.ports, !names.isEmpty else { continue }
            let own = AddressSet(members.flatMap { topology.endpoints[$0].addresses })
            let part = addresses.intersection(own)
            if part.isEmpty { continue }
            parts.append((names, part))
            rest = rest.subtracting(own)
        }
        if !rest.isEmpty { parts.append(([], rest)) }
        return parts
    }
}
