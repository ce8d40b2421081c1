import NetTypes

/// Who can open flows to whom, by the rules of a policy set and the namespaces that are there.
///
/// It reads rules as sets of addresses and services; the reference evaluator judges single flows.
/// Tests hold the two against each other.
public struct Reachability: Sendable {
    let policies: PolicySet
    let topology: Topology
    /// The addresses of each endpoint.
    let own: [AddressSet]
    /// What opens each endpoint's ingress and egress, the rules that decide first first.
    let ingress: [[Opening]]
    let egress: [[Opening]]
    /// What the peers of rules mean.
    private let coverages: [[Peer]: Coverage]

    /// What a list of peers means here.
    final class Coverage: Sendable {
        let addresses: AddressSet
        /// Endpoints that have some of the addresses.
        let endpoints: Set<Int>

        init(addresses: AddressSet, endpoints: Set<Int>) {
            self.addresses = addresses
            self.endpoints = endpoints
        }
    }

    /// A rule at an endpoint that it opens, with whom it opens it to.
    struct Opening {
        let rule: Rule
        let far: Coverage
    }

    public init(_ policies: PolicySet, in topology: Topology) {
        self.policies = policies
        self.topology = topology
        let own = topology.endpoints.map { AddressSet($0.addresses) }
        var ingress = [[Opening]](repeating: [], count: own.count)
        var egress = ingress
        var meant: [[Peer]: (opened: [Int], coverage: Coverage)] = [:]
        let meaning = PeerMeaning(policies, topology, own)
        func mean(_ peers: [Peer]) -> (opened: [Int], coverage: Coverage) {
            if let known = meant[peers] { return known }
            let found = (meaning.opened(by: peers), meaning.coverage(of: peers))
            meant[peers] = found
            return found
        }
        for rule in policies.files.values.flatMap(\.rules).sorted(by: { $0.precedes($1) }) {
            let (from, to) = (mean(rule.from), mean(rule.to))
            for index in from.opened { egress[index].append(Opening(rule: rule, far: to.coverage)) }
            for index in to.opened {
                ingress[index].append(Opening(rule: rule, far: from.coverage))
            }
        }
        self.own = own
        self.ingress = ingress
        self.egress = egress
        coverages = meant.mapValues(\.coverage)
    }

    func coverage(of peers: [Peer]) -> Coverage {
        coverages[peers] ?? PeerMeaning(policies, topology, own).coverage(of: peers)
    }

    func names(of endpoint: Int?) -> [NamedPort] {
        endpoint.flatMap { policies.tenants[topology.endpoints[$0].tenant]?.ports } ?? []
    }
}

/// What peers mean in a topology.
struct PeerMeaning {
    private let policies: PolicySet
    private let topology: Topology
    private let own: [AddressSet]
    private let world: AddressSet
    private let byTenant: [String: [Int]]

    init(_ policies: PolicySet, _ topology: Topology, _ own: [AddressSet]) {
        self.policies = policies
        self.topology = topology
        self.own = own
        world = topology.world
        byTenant = Dictionary(grouping: own.indices) { topology.endpoints[$0].tenant }
    }

    /// The endpoints that the peers name as tenants, which opens them.
    func opened(by peers: [Peer]) -> [Int] {
        var found: Set<Int> = []
        for case .endpoints(of: let selector, let labels) in peers {
            let tenants: [Tenant] =
                switch selector {
                case .name(let name): policies.tenants[name].map { [$0] } ?? []
                case .labels: policies.tenants.values.filter { selector.matches($0) }
                }
            for index in tenants.flatMap({ byTenant[$0.name] ?? [] })
            where labels?.matches(topology.endpoints[index].labels) ?? true {
                found.insert(index)
            }
        }
        return found.sorted()
    }

    func coverage(of peers: [Peer]) -> Reachability.Coverage {
        let opened = opened(by: peers)
        let endpointAddresses = AddressSet(opened.flatMap { topology.endpoints[$0].addresses })
        // An address is one endpoint's alone, so that others have none of these.
        if peers.allSatisfy(\.selectsEndpoints) {
            return Reachability.Coverage(
                addresses: endpointAddresses, endpoints: Set(opened.filter { !own[$0].isEmpty }))
        }
        let others: [AddressSet] = peers.map { peer in
            switch peer {
            case .endpoints: AddressSet()
            case .network(let prefix, let except):
                prefix.addresses.subtracting(AddressSet(except))
            case .world: world
            case .host: topology.host
            }
        }
        let addresses = AddressSet(unionOf: [endpointAddresses] + others)
        let endpoints = own.indices.filter { !own[$0].intersection(addresses).isEmpty }
        return Reachability.Coverage(addresses: addresses, endpoints: Set(endpoints))
    }
}
