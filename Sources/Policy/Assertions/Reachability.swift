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
    /// The rules that open each endpoint's ingress and egress, those that decide first first.
    let ingress: [[Rule]]
    let egress: [[Rule]]
    /// What the peers of rules mean.
    private let coverages: [[Peer]: Coverage]

    /// What a list of peers means here.
    struct Coverage {
        let addresses: AddressSet
        /// Endpoints that have some of the addresses.
        let endpoints: Set<Int>
    }

    public init(_ policies: PolicySet, in topology: Topology) {
        self.policies = policies
        self.topology = topology
        let own = topology.endpoints.map { AddressSet($0.addresses) }
        var opened: [[Peer]: [Int]] = [:]
        var coverages: [[Peer]: Coverage] = [:]
        var ingress = [[Rule]](repeating: [], count: own.count)
        var egress = ingress
        let meaning = PeerMeaning(policies, topology, own)
        for rule in policies.files.values.flatMap(\.rules).sorted(by: { $0.precedes($1) }) {
            for peers in [rule.from, rule.to] where coverages[peers] == nil {
                coverages[peers] = meaning.coverage(of: peers)
                opened[peers] = meaning.opened(by: peers)
            }
            for index in opened[rule.from] ?? [] { egress[index].append(rule) }
            for index in opened[rule.to] ?? [] { ingress[index].append(rule) }
        }
        self.own = own
        self.ingress = ingress
        self.egress = egress
        self.coverages = coverages
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

    init(_ policies: PolicySet, _ topology: Topology, _ own: [AddressSet]) {
        self.policies = policies
        self.topology = topology
        self.own = own
        world = topology.world
    }

    /// The endpoints that the peers name as tenants, which opens them.
    func opened(by peers: [Peer]) -> [Int] {
        topology.endpoints.indices.filter { index in
            let endpoint = topology.endpoints[index]
            guard let tenant = policies.tenants[endpoint.tenant] else { return false }
            return peers.contains { peer in
                guard case .endpoints(of: let selector, let labels) = peer else { return false }
                return selector.matches(tenant) && (labels?.matches(endpoint.labels) ?? true)
            }
        }
    }

    func coverage(of peers: [Peer]) -> Reachability.Coverage {
        var addresses = opened(by: peers).reduce(into: AddressSet()) { $0 = $0.union(own[$1]) }
        for peer in peers {
            switch peer {
            case .endpoints: break
            case .network(let prefix, let except):
                addresses = addresses.union(prefix.addresses.subtracting(AddressSet(except)))
            case .world: addresses = addresses.union(world)
            case .host: addresses = addresses.union(topology.host)
            }
        }
        let endpoints = own.indices.filter { !own[$0].intersection(addresses).isEmpty }
        return Reachability.Coverage(addresses: addresses, endpoints: Set(endpoints))
    }
}
