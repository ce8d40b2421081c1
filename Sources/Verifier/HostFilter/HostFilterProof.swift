internal import NetTypes
internal import Policy

/// Holds what stands at the host ends of the veths against what the policies say, for all packets.
public struct HostFilterProof {
    let policies: PolicyIndex
    let state: HostFilterState
    let posts: [HostPost]
    /// Those whose interface went away while the kernel was read.
    let gone: [HostPost]
    /// Of all posts, whatever became of them.
    let interfaces: Set<UInt32>
    let vanished: Set<Int>
    let index: HostIndex
    let unguarded: [Unguarded]
    var audit = HostFilterAudit()

    /// A link of an endpoint that packets can come through past the host namespace.
    public struct Unguarded: Hashable, Sendable {
        let endpoint: Int
        let interface: String

        /// - Parameters:
        ///   - endpoint: Its place in the topology.
        ///   - interface: The link's name within it.
        public init(endpoint: Int, interface: String) {
            self.endpoint = endpoint
            self.interface = interface
        }
    }

    /// - Parameters:
    ///   - policies: What is to be proven.
    ///   - state: What the kernel holds.
    ///   - posts: Where programs have to stand.
    ///   - unguarded: Where none can.
    ///   - vanished: Endpoints that are gone since they were found, by their places in the topology.
    public init(
        _ policies: PolicyIndex, _ state: HostFilterState, at posts: [HostPost],
        unguarded: [Unguarded] = [], vanished: Set<Int> = []
    ) {
        // One of several interfaces may go while its endpoint stays.
        let vanished = vanished.filter { endpoint in
            posts.allSatisfy { $0.endpoint != endpoint || state.gone.contains($0.interface) }
        }
        self.vanished = vanished
        interfaces = Set(posts.map(\.interface))
        self.unguarded = unguarded
        self.policies = policies
        self.state = state
        let sorted = posts.filter { !vanished.contains($0.endpoint) }.sorted {
            ($0.endpoint, $0.interface) < ($1.endpoint, $1.interface)
        }
        self.posts = sorted.filter { !state.gone.contains($0.interface) }
        gone = sorted.filter { state.gone.contains($0.interface) }
        index = HostIndex(state, posts, policies)
    }

    /// Goes through hooks, identities, maps and known flows.
    public consuming func result() -> HostFilterAudit {
        audit.maps = state.counts
        for post in posts {
            hold(post, isFromEndpoint: true)
            hold(post, isFromEndpoint: false)
        }
        holdAbsent()
        // Without maps there is nothing that packets could be judged by.
        if state.folder.isEmpty { return audit }
        holdSettings()
        holdIdentities()
        let flows = Dictionary(grouping: state.flows, by: \.endpoint)
        let refusals = Dictionary(grouping: state.refusals, by: \.endpoint)
        let judgements = Dictionary(grouping: state.judgements, by: \.flow.endpoint)
        var proven: Set<Variant> = []
        for post in posts {
            for entry in entries(at: post) {
                let variant = Variant(endpoint: post.endpoint, entry: entry)
                guard proven.insert(variant).inserted else { continue }
                var proof = HostEndpointProof(index, policies, post, entry.number, entry)
                proof.run()
                proof.holdFlows(flows[entry.number] ?? [])
                proof.holdRefusals(refusals[entry.number] ?? [])
                proof.holdJudgements(judgements[entry.number] ?? [])
                for finding in proof.findings where !audit.findings.contains(finding) {
                    audit.findings.append(finding)
                }
                audit.unproven += proof.unproven
            }
        }
        return audit
    }

    private struct Variant: Hashable {
        let endpoint: Int
        let entry: HostEntry
    }

    /// What packets at an interface are judged by: what the map holds, and what processors have of
    /// it from before, as long as nobody has told them of a change.
    func entries(at post: HostPost) -> [HostEntry] { entries(atInterface: post.interface) }

    func entries(atInterface interface: UInt32) -> [HostEntry] {
        let remembered = (state.remembered[interface] ?? []).sorted { $0.number < $1.number }
        guard let entry = state.entries[interface] else { return remembered }
        return [entry] + remembered.filter { $0 != entry }
    }

    func party(_ place: Int) -> PartyNamed {
        let endpoint = policies.topology.endpoints[place]
        return PartyNamed(tenant: endpoint.tenant, endpoint: endpoint.name)
    }
}
