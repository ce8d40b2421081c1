internal import CBPF
internal import Glibc
internal import HostRules
internal import Linux
internal import NetTypes
public import Verifier

/// Reads what the host filter has left in a host namespace, whether an agent runs or not.
///
/// It changes nothing. The calling thread has to be in the host namespace.
public struct HostFilterReader {
    private let home: String
    /// How often the maps are read again because an agent has changed them meanwhile.
    private static let attempts = 8

    /// - Parameters:
    ///   - root: Where the BPF file system is mounted.
    ///   - host: The inode of the host namespace.
    public init(root: String = "/sys/fs/bpf", host: UInt64) {
        home = "\(root)/ringfence/\(host)"
    }

    /// Whether anything of the host filter is there.
    public var isPresent: Bool {
        !Pinned.names(in: home + "/links").isEmpty || !folders.isEmpty
    }

    private var folders: [String] {
        Pinned.names(in: home).filter { $0.hasPrefix("maps-") }.sorted {
            number(of: $0) < number(of: $1)
        }
    }

    /// Which of several sets of maps it is: the last one is in use.
    private func number(of folder: String) -> Int {
        folder.split(separator: "-").last.flatMap { Int($0) } ?? 0
    }

    /// Reads hooks, programs and maps.
    ///
    /// - Parameters:
    ///   - interfaces: Every interface of the host, by its index.
    ///   - posts: Those where programs have to stand.
    /// - Returns: What there is.
    /// - Throws: What the kernel refused.
    public func read(
        interfaces: [Int32: String], posts: Set<Int32>
    ) throws(BPFError) -> HostFilterState {
        var state = HostFilterState()
        let hooks = HookReader(links: home + "/links")
        state.hooks = try hooks.hooks(posts, interfaces)
        for id in Set(state.hooks.flatMap { $0.standing.compactMap(\.program) }) {
            state.programs[id] = try ProgramReading.program(id)
        }
        guard let folder = try folder(of: state) else { return state }
        state.folder = home + "/" + folder
        guard folder.hasPrefix("maps-\(RF_ABI)-") else {
            throw BPFError("read \(state.folder): another version has made it", code: EINVAL)
        }
        let reference = try Reference(
            state.folder, state.programs.values.lazy.compactMap(\.settings).first)
        state.reference = reference.programs
        let maps = try PinnedMaps(state.folder, seeds: try seeds(of: state))
        for attempt in 1...Self.attempts {
            let before = try maps.generation.value(of: 0)
            try maps.read(into: &state)
            if try maps.generation.value(of: 0) == before { break }
            if attempt == Self.attempts {
                throw BPFError("read \(state.folder): it changes all the time", code: EBUSY)
            }
        }
        let strangers = Set(state.entries.keys.map { Int32(bitPattern: $0) }).subtracting(posts)
        state.hooks += try hooks.hooks(strangers.intersection(interfaces.keys), interfaces)
        for id in Set(state.hooks.flatMap { $0.standing.compactMap(\.program) })
        where state.programs[id] == nil {
            state.programs[id] = try ProgramReading.program(id)
        }
        return state
    }

    /// The folder whose maps the programs use; without programs the last one.
    private func folder(of state: HostFilterState) throws(BPFError) -> String? {
        var uses: [String: Int] = [:]
        for folder in folders {
            guard let map = try Pinned.open("\(home)/\(folder)/endpoints") else { continue }
            let id = try MapReading.info(map).id
            uses[folder] = state.programs.values.count { $0.maps["endpoints"] == id }
        }
        let most = uses.values.max()
        return folders.last { uses[$0] == most }
    }

    /// The seeds that the programs hash flows with.
    private func seeds(of state: HostFilterState) throws(BPFError) -> rf_seeds? {
        for hook in state.hooks {
            for id in hook.standing.compactMap(\.program)
            where state.programs[id]?.maps["flow_tags"] != nil {
                let raw = bpf_prog_get_fd_by_id(id)
                guard raw >= 0 else { continue }
                let used = try ProgramReading.UsedMaps(
                    try ProgramInfo(Descriptor(owning: raw)).maps)
                if let settings = used.settings {
                    return try MapReading.settings(settings)?.seeds
                }
            }
        }
        return nil
    }
}

/// The programs of this build over the pinned maps.
private struct Reference {
    let programs: HostReference

    init(_ folder: String, _ settings: HostSettings?) throws(BPFError) {
        let loader = try BPFLoader()
        var buckets = 0
        for (name, _) in Maps.sizes(Capacity()) {
            guard let map = try Pinned.open(folder + "/" + name) else {
                throw BPFError("open \(folder)/\(name)", code: ENOENT)
            }
            if name == "flow_tags" { buckets = Int(try MapReading.info(map).max_entries) }
            try loader.use(map, as: name)
        }
        // What is fixed decides which instructions are left: the seeds, which are no constants to
        // the kernel, may be any.
        let mayBeAlone = !HostFilter.isPreemptible
        try loader.set(
            rf_settings(
                seeds: rf_seeds(), identity_mask: settings?.identityMask ?? 0xffff_0000,
                identity_shift: settings?.identityShift ?? 16,
                bucket_mask: settings?.bucketMask ?? 0,
                is_alone: settings?.isAlone ?? mayBeAlone ? 1 : 0,
                is_weakly_ordered: HostFilter.isWeaklyOrdered ? 1 : 0, zero: 0))
        try loader.load()
        programs = HostReference(
            from: try ProgramReading.program(try loader.program("from_endpoint")),
            to: try ProgramReading.program(try loader.program("to_endpoint")), buckets: buckets,
            mayBeAlone: mayBeAlone)
    }
}
