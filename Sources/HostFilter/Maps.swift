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
    let overflowUsed: BPFMap<UInt32, UInt32>
    let shares: Shares
    let fragments: BPFMap<rf_fragment_key, rf_fragment>
    let refused: BPFMap<rf_refused_key, rf_refused>
    let generation: BPFMap<UInt32, UInt64>
    let totals: BPFMap<UInt32, rf_count>
    let lost: BPFMap<UInt32, UInt64>
    let events: Descriptor

    /// The entries of every map, by name.
    static func sizes(_ capacity: Capacity) -> [String: Int] {
        let sized = [
            "endpoints": capacity.endpoints * 4, "own": capacity.own, "locals": capacity.own,
            "peers": capacity.peers, "networks": capacity.networks, "shapes": capacity.shapes,
            "admissions": capacity.admissions, "rules": capacity.rules,
            "rule_counts": capacity.rules,
            "totals": (capacity.endpoints + 1) * Int(RF_REASONS.rawValue),
        ]
        return sized.merging(fixedSizes) { $1 }
            .merging(FlowTable.sizes(flows: capacity.flows)) { $1 }
    }

    /// Those that hold as much whatever the policy is.
    private static let fixedSizes = [
        "overflow_flows": 16_384, "overflow_used": 1, "fragments": 16_384, "generation": 1,
        "recent": Int(RF_RECENT), "judgements": Int(RF_JUDGEMENTS), "lost": 1, "events": 1 << 20,
        // A share for each number that there can be: 2 MB.
        "usage": (Capacity.most.endpoints + 1) * Int(RF_USAGES.rawValue),
        "refused": mostRefused, "host_addresses": HostLink.mostAddresses,
        "uplinks": HostLink.mostUplinks,
    ]

    /// The entries of the maps that are pinned in a folder.
    ///
    /// - Parameter folder: A folder of the BPF file system.
    /// - Returns: Nil where a map is missing, or too small to be used.
    /// - Throws: What the kernel refused.
    static func pinnedSizes(in folder: String) throws(BPFError) -> [String: Int]? {
        var sizes: [String: Int] = [:]
        for name in Self.sizes(Capacity()).keys {
            guard let count = try pinnedSize(folder + "/" + name) else { return nil }
            sizes[name] = count
        }
        return fixedSizes.allSatisfy { sizes[$0.key] ?? 0 >= $0.value } ? sizes : nil
    }

    private static func pinnedSize(_ path: String) throws(BPFError) -> Int? {
        guard let descriptor = try Pinned.open(path) else { return nil }
        var info = bpf_map_info()
        var size = UInt32(MemoryLayout<bpf_map_info>.size)
        let raw = descriptor.rawValue
        try checkBPF("look at map \(path)") { bpf_obj_get_info_by_fd(raw, &info, &size) }
        return Int(info.max_entries)
    }

    /// 16 MB for the buckets of the hash.
    private static let mostRefused = 1 << 20

    /// How many refused flows of an endpoint are told apart until they are read.
    var refusalBudget: Int { min(512, Self.mostRefused / max(endpoints.capacity / 4, 1)) }

    init(
        _ loader: borrowing BPFLoader, _ seeds: rf_seeds, after former: Maps? = nil,
        hasOtherFlows: Bool = false
    ) throws(BPFError) {
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
        if let former, !hasOtherFlows {
            // It knows which flows ended a moment ago.
            flows = former.flows
        } else {
            flows = FlowTable(
                tags: try BPFMap("flow_tags", owning: loader.map("flow_tags")),
                places: try BPFMap("flows", owning: loader.map("flows")), seeds: seeds)
            let kept: BPFMap<UInt32, rf_seeds> = try BPFMap(
                "flow_seeds", owning: loader.map("flow_seeds"))
            try kept.set(seeds, for: 0)
        }
        if let former {
            shares = former.shares
        } else {
            shares = try Shares(BPFMap("usage", owning: loader.map("usage")))
        }
        overflowUsed = try BPFMap("overflow_used", owning: loader.map("overflow_used"))
        overflowFlows = try BPFMap("overflow_flows", owning: loader.map("overflow_flows"))
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
