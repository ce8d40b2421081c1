internal import CBPF
internal import HostRules
internal import Linux

/// The maps of the host filter, open.
final class Maps {
    let endpoints: BPFMap<UInt32, rf_endpoint>
    let own: BPFMap<rf_own_key, UInt32>
    let locals: BPFMap<rf_address, UInt32>
    let hostAddresses: BPFMap<rf_address, UInt32>
    let uplinks: BPFMap<UInt32, UInt32>
    let peers: BPFMap<rf_peer_key, UInt32>
    let networks: BPFMap<rf_network_key, UInt32>
    let shapes: BPFMap<rf_shape_key, UInt32>
    let admissions: BPFMap<rf_admission_key, rf_admission>
    let rules: BPFMap<UInt32, UInt64>
    let ruleCounts: BPFMap<UInt32, rf_rule_count>
    let flows: FlowTable
    let overflowFlows: BPFMap<rf_flow_key, rf_flow>
    let shares: Shares
    let fragments: BPFMap<rf_fragment_key, rf_fragment>
    let refused: BPFMap<rf_refused_key, rf_refused>
    let generation: BPFMap<UInt32, UInt64>
    let totals: BPFMap<UInt32, rf_count>
    let lost: BPFMap<UInt32, UInt64>
    let events: Descriptor

    /// Each with its size.
    static func sizes(_ capacity: Capacity) -> [(name: String, count: Int)] {
        [
            ("endpoints", capacity.endpoints * 4), ("own", capacity.own),
            ("locals", capacity.own), ("peers", capacity.peers),
            ("host_addresses", HostLink.mostAddresses), ("uplinks", HostLink.mostUplinks),
            ("networks", capacity.networks), ("shapes", capacity.shapes),
            ("admissions", capacity.admissions), ("rules", capacity.rules),
            ("rule_counts", capacity.rules), ("overflow_flows", 16_384), ("overflow_used", 1),
            ("usage", (capacity.endpoints + 1) * Int(RF_USAGES.rawValue)),
            ("fragments", 16_384),
            ("refused", capacity.endpoints * refusalBudget), ("generation", 1),
            ("recent", Int(RF_RECENT)), ("judgements", Int(RF_JUDGEMENTS)),
            ("totals", (capacity.endpoints + 1) * Int(RF_REASONS.rawValue)), ("lost", 1),
            ("events", 1 << 20),
        ] + FlowTable.sizes(flows: capacity.flows)
    }

    /// How many refused flows of an endpoint are told apart until they are read.
    static let refusalBudget = 512

    init(_ loader: borrowing BPFLoader, _ seeds: rf_seeds) throws(BPFError) {
        endpoints = try BPFMap("endpoints", owning: loader.map("endpoints"))
        own = try BPFMap("own", owning: loader.map("own"))
        locals = try BPFMap("locals", owning: loader.map("locals"))
        hostAddresses = try BPFMap("host_addresses", owning: loader.map("host_addresses"))
        uplinks = try BPFMap("uplinks", owning: loader.map("uplinks"))
        peers = try BPFMap("peers", owning: loader.map("peers"))
        networks = try BPFMap("networks", owning: loader.map("networks"))
        shapes = try BPFMap("shapes", owning: loader.map("shapes"))
        admissions = try BPFMap("admissions", owning: loader.map("admissions"))
        rules = try BPFMap("rules", owning: loader.map("rules"))
        ruleCounts = try BPFMap("rule_counts", owning: loader.map("rule_counts"))
        flows = FlowTable(
            tags: try BPFMap("flow_tags", owning: loader.map("flow_tags")),
            places: try BPFMap("flows", owning: loader.map("flows")), seeds: seeds)
        let kept: BPFMap<UInt32, rf_seeds> = try BPFMap(
            "flow_seeds", owning: loader.map("flow_seeds"))
        try kept.set(seeds, for: 0)
        overflowFlows = try BPFMap("overflow_flows", owning: loader.map("overflow_flows"))
        shares = try Shares(BPFMap("usage", owning: loader.map("usage")))
        fragments = try BPFMap("fragments", owning: loader.map("fragments"))
        refused = try BPFMap("refused", owning: loader.map("refused"))
        generation = try BPFMap("generation", owning: loader.map("generation"))
        totals = try BPFMap("totals", owning: loader.map("totals"))
        lost = try BPFMap("lost", owning: loader.map("lost"))
        events = Descriptor(owning: try loader.map("events"))
    }

    /// What the maps were made for.
    var capacity: Capacity {
        Capacity(
            endpoints: endpoints.capacity / 4, own: own.capacity, peers: peers.capacity,
            networks: networks.capacity, shapes: shapes.capacity,
            admissions: admissions.capacity, rules: rules.capacity, flows: flows.capacity)
    }
}
