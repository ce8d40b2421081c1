internal import CBPF
internal import Glibc
public import HostRules
internal import Linux
internal import NetTypes
internal import Rules

/// The eBPF programs on the host ends of the veths, and what their maps hold.
///
/// Programs, maps, links and counters are pinned: they outlast the agent, and the next one takes
/// them over as they are. Not for several threads at once.
public final class HostFilter {
    /// How the programs come to the veths.
    public enum Attachment: String, Hashable, Sendable, CaseIterable {
        /// By links where the kernel has them, else by filters.
        case auto
        /// By TCX links: Linux 6.6 or later.
        case tcx
        /// By filters of the clsact queueing discipline.
        case clsact
    }

    /// What is fixed for the life of the maps.
    public struct Configuration: Sendable {
        /// Where the BPF file system is, or is to be mounted.
        public var root: String
        /// Tells the maps of several hosts in one file system apart: the inode of the host
        /// namespace.
        public var host: UInt64
        /// The bits of a packet's mark that hold the number of the endpoint that sent it; one run
        /// of at least 8 bits.
        public var identityMask: UInt32
        /// How the programs come to the veths.
        public var attachment: Attachment

        public init(
            root: String = "/sys/fs/bpf", host: UInt64, identityMask: UInt32 = 0xffff_0000,
            attachment: Attachment = .auto
        ) {
            self.root = root
            self.host = host
            self.identityMask = identityMask
            self.attachment = attachment
        }
    }

    let configuration: Configuration
    let maps: Maps
    let programs: Programs
    let events: Events
    let home: String
    let folder: String
    let links: String
    let processors: Int
    /// By the inode of an endpoint's namespace.
    var numbers: [UInt64: UInt32] = [:]
    /// Numbers whose endpoint is gone, each with how many sweeps ago that was.
    var resting: [UInt32: Int] = [:]
    /// What the maps hold of each endpoint.
    var held: [UInt32: HostEntries] = [:]
    /// Where each endpoint's live rules stand.
    var slots: [UInt32: [Mark: UInt32]] = [:]
    /// Endpoints whose last change the kernel refused in the middle: not all that is held is there.
    var incomplete: Set<UInt32> = []
    /// What rules had counted that ended with a change which was refused, by the endpoint's number.
    var owed: [UInt32: [Mark: RuleCount]] = [:]
    /// Slots that nobody uses, the lowest last.
    var freeSlots: [UInt32] = []
    /// What stands at each guarded interface of the host.
    var posts: [Int32: Post] = [:]
    /// Interfaces of the host that are guarded and in no map, and so closed: they were an endpoint's, or two tenants claim what
    /// is behind them.
    public internal(set) var closedInterfaces: Set<Int32> = []
    /// Interfaces that this process has attached the programs to.
    var attached: Set<Int32> = []
    /// How many flows an initiator may have in the table, as the posts say; 0 is not known.
    var flowShare = 0
    /// The number of what packets are judged by.
    var generation: UInt64 = 0
    /// Whether maps were changed and the programs may not know it yet.
    var isUncounted = false
    /// By address: who is local.
    var locals: [IPAddress: UInt32] = [:]
    /// What the programs know of the host on the endpoints' links; nil before it was written.
    var link: HostLink?

    final class Programs {
        let from: Descriptor
        let to: Descriptor

        init(_ loader: borrowing BPFLoader) throws(BPFError) {
            from = try loader.program("from_endpoint")
            to = try loader.program("to_endpoint")
        }
    }

    /// Takes over what is pinned and large enough, or makes it anew.
    ///
    /// - Parameters:
    ///   - configuration: What is fixed for the life of the maps.
    ///   - need: What the compiled state takes.
    /// - Throws: What the kernel or its verifier refused.
    public init(_ configuration: Configuration, need: Capacity) throws(BPFError) {
        self.configuration = configuration
        home = "\(configuration.root)/ringfence/\(configuration.host)"
        links = home + "/links"
        try Pinned.prepare(root: configuration.root, folder: links)
        processors = Int(libbpf_num_possible_cpus())
        let prefix = "maps-\(RF_ABI)-\(String(configuration.identityMask, radix: 16))-"
        let generations = Pinned.names(in: home).filter { $0.hasPrefix(prefix) }
            .compactMap { Int($0.dropFirst(prefix.count)) }
        let latest = generations.max()
        if let latest, let kept = try? Self.pinnedCapacity(home + "/" + prefix + "\(latest)"),
            kept.shortage(for: need) == nil,
            let loaded = try? Self.load(configuration, kept, home + "/" + prefix + "\(latest)")
        {
            (maps, programs) = loaded
            folder = home + "/" + prefix + "\(latest)"
        } else {
            folder = home + "/" + prefix + "\((latest ?? 0) + 1)"
            try Pinned.prepare(root: configuration.root, folder: folder)
            (maps, programs) = try Self.load(configuration, need.withHeadroom, folder)
        }
        events = try Events(maps.events)
        generation = try maps.generation.value(of: 0) ?? 0
        try readBack()
        // An agent that was killed on the way may have changed what no program has looked at again.
        try renew()
        adoptNumbers()
        try clearUnowned()
    }

    private static func pinnedCapacity(_ folder: String) throws(BPFError) -> Capacity? {
        var counts: [String: Int] = [:]
        for (name, _) in Maps.sizes(Capacity()) {
            guard let descriptor = try Pinned.open(folder + "/" + name) else { return nil }
            var info = bpf_map_info()
            var size = UInt32(MemoryLayout<bpf_map_info>.size)
            let raw = descriptor.rawValue
            try checkBPF("look at map \(name)") { bpf_obj_get_info_by_fd(raw, &info, &size) }
            counts[name] = Int(info.max_entries)
        }
        return Capacity(
            endpoints: (counts["endpoints"] ?? 0) / 4, own: counts["own"] ?? 0,
            peers: counts["peers"] ?? 0, networks: counts["networks"] ?? 0,
            shapes: counts["shapes"] ?? 0, admissions: counts["admissions"] ?? 0,
            rules: counts["rules"] ?? 0, flows: (counts["flows"] ?? 0) / 2)
    }

    /// Loads the programs over the maps that are pinned in a folder, or that come to be there.
    private static func load(
        _ configuration: Configuration, _ capacity: Capacity, _ folder: String
    ) throws(BPFError) -> (Maps, Programs) {
        let loader = try BPFLoader()
        for (name, count) in Maps.sizes(capacity) {
            try loader.setCapacity(count, of: name)
            try loader.pin(name, at: folder + "/" + name)
        }
        let mask = configuration.identityMask
        let seeds = try pinnedSeeds(folder) ?? .random
        try loader.set(
            rf_settings(
                seeds: seeds, identity_mask: mask,
                identity_shift: UInt32(mask.trailingZeroBitCount),
                bucket_mask: UInt32(FlowTable.buckets(flows: capacity.flows) - 1),
                is_alone: Self.isPreemptible ? 0 : 1,
                is_weakly_ordered: Self.isWeaklyOrdered ? 1 : 0, zero: 0))
        try loader.load()
        return (try Maps(loader, seeds), try Programs(loader))
    }

    /// Whether a program may be held up by another one on the same processor: uname(2) tells.
    static var isPreemptible: Bool {
        var name = utsname()
        guard uname(&name) == 0 else { return true }
        return withUnsafeBytes(of: &name.version) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self).contains("PREEMPT_RT")
        }
    }

    /// Whether a processor may do two loads in another order.
    static var isWeaklyOrdered: Bool {
        #if arch(x86_64)
            false
        #else
            true
        #endif
    }

    /// The seeds that flows were hashed with; nil where there is no table of flows yet.
    private static func pinnedSeeds(_ folder: String) throws(BPFError) -> rf_seeds? {
        guard let descriptor = try Pinned.open(folder + "/flow_seeds") else { return nil }
        var (zero, seeds) = (UInt32(0), rf_seeds())
        let raw = descriptor.rawValue
        try checkBPF("read the seeds of flows") { bpf_map_lookup_elem(raw, &zero, &seeds) }
        return seeds.isUnset ? nil : seeds
    }

    /// What the maps can hold.
    public var capacity: Capacity { maps.capacity }

    /// How full the maps of policy are: 0 to 1 by name.
    public var fill: [String: Double] {
        let (used, room) = (Capacity(of: held.values), capacity)
        func share(_ part: (Capacity) -> Int) -> Double {
            Double(part(used)) / Double(max(part(room), 1))
        }
        return [
            "endpoints": share(\.endpoints), "own": share(\.own), "peers": share(\.peers),
            "networks": share(\.networks), "shapes": share(\.shapes),
            "admissions": share(\.admissions), "rules": share(\.rules),
        ]
    }
}
