internal import CBPF
internal import Glibc
internal import Linux
internal import NetTypes
internal import Verifier

/// One attempt to read hooks, programs and maps as they are at one moment.
struct HostFilterReading {
    private(set) var state = HostFilterState()
    /// What later attempts need not read again.
    private(set) var known: Known
    private let folders: MapFolders
    private let interfaces: [Int32: String]
    private let posts: Set<Int32>
    private let begun: MapFolders.Moment
    private var hooks: HookReader { HookReader(links: folders.links) }
    /// As they were read before everything else.
    private var first: HookReader.Reading?

    /// What doesn't change: programs, and this build's over the same maps.
    struct Known {
        fileprivate var programs: [UInt32: HostProgram] = [:]
        fileprivate var reference: (key: ReferenceKey, programs: HostReference)?
    }

    fileprivate struct ReferenceKey: Hashable {
        let folder: String
        let maps: UInt32
        let settings: HostSettings?
    }

    /// Looks at how far the generations have counted.
    init(
        _ folders: MapFolders, _ interfaces: [Int32: String], _ posts: Set<Int32>,
        _ known: Known = Known()
    ) throws(BPFError) {
        self.folders = folders
        self.interfaces = interfaces
        self.posts = posts
        self.known = known
        begun = try folders.moment()
    }

    mutating func readHooks() throws(BPFError) {
        let found = try hooks.hooks(posts, interfaces)
        first = found
        state.hooks = found.hooks
        state.gone = found.gone
    }

    mutating func readPrograms() throws(BPFError) {
        for id in Set(state.hooks.flatMap { $0.standing.compactMap(\.program) }) {
            if known.programs[id] == nil { known.programs[id] = try ProgramReading.program(id) }
            state.programs[id] = known.programs[id]
        }
    }

    /// Reads the maps that the programs use, and the hooks of other interfaces that they hold.
    mutating func readMaps() throws(BPFError) {
        guard let folder = try folders.used(by: state.programs.values) else { return }
        state.folder = folders.home + "/" + folder
        guard folders.isOwn(folder) else {
            throw BPFError("read \(state.folder): another version has made it", code: EINVAL)
        }
        try readReference()
        try PinnedMaps(state.folder, seeds: seeds).read(into: &state)
        let held = Set(state.entries.keys).union(state.remembered.keys)
        let strangers = Set(held.map { Int32(bitPattern: $0) }).subtracting(posts)
        state.hooks += try hooks.hooks(strangers.intersection(interfaces.keys), interfaces).hooks
        try readPrograms()
    }

    /// Whether nobody has changed anything since the beginning.
    ///
    /// An agent that takes over exchanges programs before it counts on: hooks are compared as well.
    func isWhole() throws(BPFError) -> Bool {
        guard let first else { return try folders.moment() == begun }
        let last = try hooks.hooks(posts, interfaces)
        let ended = try folders.moment()
        return last == first && ended == begun
    }

    private mutating func readReference() throws(BPFError) {
        let settings = state.programs.values.lazy.compactMap(\.settings).first
        let path = state.folder + "/generation"
        guard let map = try Pinned.open(path) else { throw BPFError("open \(path)", code: ENOENT) }
        let key = ReferenceKey(
            folder: state.folder, maps: try MapReading.info(map).id, settings: settings)
        if known.reference?.key != key {
            known.reference = (key, try Reference(state.folder, settings).programs)
        }
        state.reference = known.reference?.programs
    }

    /// Those that programs hash flows with; nil where none runs that could know a flow.
    private var seeds: rf_seeds? {
        for hook in state.hooks {
            for id in hook.standing.compactMap(\.program) {
                guard let program = state.programs[id], program.maps["flow_tags"] != nil,
                    let settings = program.settings
                else { continue }
                return rf_seeds(settings.seeds)
            }
        }
        return nil
    }
}
