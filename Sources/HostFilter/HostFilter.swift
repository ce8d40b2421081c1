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
        /// How large the maps may become.
        public var most: Capacity

        public init(
            root: String = "/sys/fs/bpf", host: UInt64, identityMask: UInt32 = 0xffff_0000,
            attachment: Attachment = .auto, most: Capacity = .most
        ) {
            self.most = most
            self.root = root
            self.host = host
            self.identityMask = identityMask
            self.attachment = attachment
        }
    }

    let configuration: Configuration
    let sets: MapSets
    var maps: Maps
    var programs: Programs
    let events: Events
    /// Where the maps are pinned.
    var folder: String
    let links: String
    /// What the maps of an earlier size had counted.
    var earlier: EarlierCounts
    /// Interfaces at which programs over the maps of an earlier size still run, with the reason.
    public internal(set) var unreplaced: [Int32: BPFError] = [:]
    let processors: Int
    /// By the inode of an endpoint's namespace.
    var numbers: [UInt64: UInt32] = [:]
    /// Numbers whose endpoint is gone, each with how many sweeps ago that was.
    var resting: [UInt32: Int] = [:]
    /// What the maps hold of each endpoint; change it by `hold`.
    var held: [UInt32: HostEntries] = [:]
    /// How many entries that is.
    var used = Capacity()
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

    /// Takes over the maps that are pinned, or makes them.
    ///
    /// Maps that are taken over may be too small: see `resize(to:)`.
    ///
    /// - Parameters:
    ///   - configuration: What is fixed for the life of the maps.
    ///   - need: What the compiled state takes: maps that are made have room for it.
    /// - Throws: What the kernel or its verifier refused.
    public init(_ configuration: Configuration, need: Capacity) throws(BPFError) {
        self.configuration = configuration
        sets = MapSets(configuration)
        links = sets.home + "/links"
        try Pinned.prepare(root: configuration.root, folder: links)
        processors = Int(libbpf_num_possible_cpus())
        // An agent that was killed while it made it has put no program over it.
        Pinned.removeFolder(sets.unfinished)
        if let latest = sets.latest, let sizes = try? Maps.pinnedSizes(in: latest),
            let loaded = try? Self.load(configuration, sizes, latest)
        {
            (maps, programs) = loaded
            folder = latest
        } else {
            try Pinned.prepare(root: configuration.root, folder: sets.unfinished)
            (maps, programs) = try Self.load(
                configuration, Maps.sizes(need.withHeadroom), sets.unfinished)
            folder = sets.next
            try Pinned.rename(sets.unfinished, to: folder)
        }
        earlier = try EarlierCounts(folder, processors: processors)
        events = try Events(maps.events)
        generation = try maps.generation.value(of: 0) ?? 0
        try readBack()
        used = held.values.reduce(Capacity()) { $0 + $1.size }
        try findFormerSlots()
        // An agent that was killed on the way may have changed what no program has looked at again.
        try renew()
        adoptNumbers()
        try clearUnowned()
    }

    /// Loads the programs over the maps that are pinned in a folder, or that come to be there.
    ///
    /// - Parameters:
    ///   - configuration: What is fixed for the life of the maps.
    ///   - sizes: The entries of every map, by name.
    ///   - folder: A folder of the BPF file system.
    ///   - former: Maps that share with these what programs write.
    ///   - hasOtherFlows: Whether the flow table is not shared.
    /// - Returns: The maps, and the programs over them.
    /// - Throws: What the kernel or its verifier refused.
    static func load(
        _ configuration: Configuration, _ sizes: [String: Int], _ folder: String,
        after former: Maps? = nil, hasOtherFlows: Bool = false
    ) throws(BPFError) -> (Maps, Programs) {
        let loader = try BPFLoader()
        for (name, count) in sizes {
            try loader.setCapacity(count, of: name)
            try loader.pin(name, at: folder + "/" + name)
        }
        let mask = configuration.identityMask
        let seeds = try pinnedSeeds(folder) ?? .random
        try loader.set(
            rf_settings(
                seeds: seeds, identity_mask: mask,
                identity_shift: UInt32(mask.trailingZeroBitCount),
                bucket_mask: UInt32(max(sizes["flow_tags"] ?? 1, 1) - 1),
                is_alone: Self.isPreemptible ? 0 : 1,
                is_weakly_ordered: Self.isWeaklyOrdered ? 1 : 0, zero: 0))
        try loader.load()
        return (
            try Maps(loader, seeds, after: former, hasOtherFlows: hasOtherFlows),
            try Programs(loader)
        )
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
