internal import CBPF
internal import Glibc
internal import HostRules
internal import Linux
public import NetTypes

/// The host end of an endpoint's veth.
public struct Post: Hashable, Sendable {
    /// Its index in the host namespace.
    public let interface: Int32
    /// The endpoint's number.
    public let number: UInt32
    /// The link-layer address of the endpoint's side, 6 bytes.
    public let hardwareAddress: [UInt8]

    public init(interface: Int32, number: UInt32, hardwareAddress: [UInt8]) {
        self.interface = interface
        self.number = number
        self.hardwareAddress = hardwareAddress
    }
}

extension HostFilter {
    /// Guards the host ends of veths, and keeps every other one closed that it has ever guarded.
    ///
    /// The calling thread has to be in the host namespace. What an interface lets through is in the
    /// maps before its programs are attached. An interface that is in no map is closed: the programs drop
    /// every packet there. An interface leaves the guard only when the link is gone or by `release(_:)`.
    ///
    /// - Parameters:
    ///   - wanted: The host ends, and whose they are.
    ///   - closed: Further interfaces to be closed, whether or not they were guarded before.
    ///   - spared: Numbers of endpoints whose interfaces stay as they are, wherever they are.
    /// - Returns: The interfaces that could not be guarded or closed, with the reason.
    /// - Throws: What the kernel refused of what is not one interface's.
    public func guardPosts(
        _ wanted: [Post: NamespaceID], closing closed: Set<Int32> = [],
        sparing spared: Set<UInt32> = []
    ) throws(BPFError) -> [Int32: BPFError] {
        var failures: [Int32: BPFError] = [:]
        let kept = Set(wanted.keys.map(\.interface))
            .union(posts.values.filter { spared.contains($0.number) }.map(\.interface))
        // Closing comes first: what follows may take long.
        let known = Set(posts.keys).union(linked).union(closedInterfaces)
        for interface in known.union(closed).subtracting(kept) {
            do throws(BPFError) {
                let isToBeHeld = closed.contains(interface) || isStillGuarded(interface)
                if isToBeHeld { try hold(interface) } else { try leave(interface) }
            } catch {
                failures[interface] = error
            }
        }
        closedInterfaces.subtract(kept)
        let share = maps.capacity.flowShare(of: Set(wanted.keys.map(\.number)).count)
        let isOther = share != flowShare
        flowShare = share
        for (post, endpoint) in wanted {
            do throws(BPFError) {
                if isOther || posts[post.interface] != post { try setPost(post, of: endpoint) }
                try attach(.toEndpoint, programs.to, to: post.interface)
                try attach(.fromEndpoint, programs.from, to: post.interface)
                attached.insert(post.interface)
            } catch {
                failures[post.interface] = error
            }
        }
        // What another program refused meanwhile is judged by those that stand there now.
        if !wanted.isEmpty { try renew() }
        if failures.isEmpty { try endGrowth() }
        return failures
    }

    /// Gives up the guard of a closed interface: everything passes there from then on.
    ///
    /// The calling thread has to be in the host namespace.
    ///
    /// - Parameter interface: Its index.
    /// - Throws: What the kernel refused.
    public func release(_ interface: Int32) throws(BPFError) { try leave(interface) }

    /// Whether an interface that no endpoint is at any more exists, and has been guarded.
    ///
    /// What only the pins of an earlier agent tell of has to run one of our programs: another interface may
    /// have the number of one that is gone.
    private func isStillGuarded(_ interface: Int32) -> Bool {
        var name = [CChar](repeating: 0, count: Int(IF_NAMESIZE))
        guard if_indextoname(UInt32(bitPattern: interface), &name) != nil else { return false }
        if attached.contains(interface) { return true }
        return Hook.allCases.contains { runsOurProgram($0, at: interface) }
    }

    private func runsOurProgram(_ hook: Hook, at interface: Int32) -> Bool {
        let path = linkPath(interface, hook)
        if let link = try? Pinned.open(path), let program = try? ProgramInfo.program(of: link),
            (try? hook.programs(on: interface).contains { $0.program == program }) == true
        {
            return true
        }
        guard (try? Pinned.open(Self.filterMarker(path))) != nil,
            let filter = try? hook.filter(on: interface)
        else { return false }
        return ProgramInfo.name(ofProgram: filter) == hook.program
    }

    /// Closes an interface at which no endpoint is: it is in no map, and the programs stay.
    private func hold(_ interface: Int32) throws(BPFError) {
        if posts.removeValue(forKey: interface) != nil || !closedInterfaces.contains(interface) {
            try maps.endpoints.remove(UInt32(bitPattern: interface))
            try renew()
        }
        closedInterfaces.insert(interface)
        // Those of an earlier agent may look into other maps, in which the interface is an endpoint's.
        try attach(.toEndpoint, programs.to, to: interface)
        try attach(.fromEndpoint, programs.from, to: interface)
        attached.insert(interface)
    }

    /// What stands at an interface.
    public func post(at interface: Int32) -> Post? { posts[interface] }

    func setPost(_ post: Post, of endpoint: NamespaceID) throws(BPFError) {
        try write(post, of: endpoint.inode, (held[post.number] ?? HostEntries()).profile)
        posts[post.interface] = post
    }

    /// Brings what stands at an endpoint's interfaces up to date.
    func setPosts(of number: UInt32, to profile: EndpointProfile) throws(BPFError) {
        guard let space = numbers.first(where: { $0.value == number })?.key else { return }
        for post in posts.values where post.number == number {
            try write(post, of: space, profile)
        }
    }

    private func write(
        _ post: Post, of space: UInt64, _ profile: EndpointProfile
    ) throws(BPFError) {
        var entry = rf_endpoint(profile)
        entry.number = post.number
        entry.flow_budget = UInt32(clamping: flowShare)
        entry.refusal_budget = UInt32(maps.refusalBudget)
        entry.space = space
        withUnsafeMutableBytes(of: &entry.mac) { $0.copyBytes(from: post.hardwareAddress) }
        try maps.endpoints.set(entry, for: UInt32(bitPattern: post.interface))
        try renew()
    }

    /// Says that what packets are judged by is another: what the programs know from before is
    /// looked up again.
    ///
    /// It comes after the change, and a packet reads the number before all else: what it takes from
    /// the maps in between is taken again.
    func renew() throws(BPFError) {
        cbpf_order()
        try maps.generation.set(generation &+ 1, for: 0)
        generation &+= 1
        isUncounted = false
    }

    /// Makes sure that this program stands at the hook, and stands there once.
    ///
    /// The other way to be attached is given up last: for a moment a packet may be judged twice.
    private func attach(
        _ hook: Hook, _ program: borrowing Descriptor, to interface: Int32
    ) throws(BPFError) {
        let usesLinks = usesLinks(hook, on: interface)
        let marker = Self.filterMarker(linkPath(interface, hook))
        if usesLinks {
            try link(hook, program, to: interface)
            if try Pinned.open(marker) != nil {
                hook.removeFilter(on: interface)
                Pinned.remove(marker)
            }
        } else {
            if try hook.filter(on: interface) != ProgramInfo(program).id {
                try hook.setFilter(program, on: interface)
                Pinned.remove(marker)
                // Tells a release where to look.
                try Pinned.pin(program, at: marker)
            }
            Pinned.remove(linkPath(interface, hook))
        }
    }

    private func usesLinks(_ hook: Hook, on interface: Int32) -> Bool {
        switch configuration.attachment {
        case .tcx: true
        case .clsact: false
        case .auto: hook.hasLinks(on: interface)
        }
    }

    /// The programs of ours that don't stand where they should, by interface.
    ///
    /// The calling thread has to be in the host namespace. An interface that can't be asked is left out: it
    /// is gone, or the next word of it tells.
    public func absentPrograms() -> [Int32: [String]] {
        var absent: [Int32: [String]] = [:]
        for hook in Hook.allCases {
            let ours =
                try? hook == .fromEndpoint
                ? ProgramInfo(programs.from).id : ProgramInfo(programs.to).id
            guard let ours else { continue }
            for interface in interfaces {
                let stands =
                    try? usesLinks(hook, on: interface)
                    ? hook.programs(on: interface).contains { $0.program == ours }
                    : hook.filter(on: interface) == ours
                if stands == false { absent[interface, default: []].append(hook.program) }
            }
        }
        return absent
    }

    /// Makes sure that the program that is pinned to the hook is this one.
    private func link(
        _ hook: Hook, _ program: borrowing Descriptor, to interface: Int32
    ) throws(BPFError) {
        let path = linkPath(interface, hook)
        let wanted = try ProgramInfo(program)
        if let link = try Pinned.open(path) {
            let attached = try ProgramInfo.program(of: link)
            // A link whose interface is gone runs nothing any more, though another interface may
            // have got its number.
            if try hook.programs(on: interface).contains(where: { $0.program == attached }) {
                if attached == wanted.id { return }
                let (raw, new) = (link.rawValue, program.rawValue)
                try checkBPF("replace the program of interface \(interface)") {
                    bpf_link_update(raw, new, nil)
                }
                return
            }
            Pinned.remove(path)
        }
        let link = try hook.attach(program, to: interface)
        try Pinned.pin(link, at: path)
    }

    /// The interfaces that links or filters are pinned for.
    var linked: Set<Int32> {
        Set(Pinned.names(in: links).compactMap { Int32($0.prefix { $0 != "-" }) })
    }

    static func filterMarker(_ path: String) -> String { path + "-filter" }

    func linkPath(_ interface: Int32, _ hook: Hook) -> String {
        "\(links)/\(interface)-\(hook == .fromEndpoint ? "from" : "to")"
    }

    /// Gives up an interface that is gone or that was released.
    private func leave(_ interface: Int32) throws(BPFError) {
        for hook in Hook.allCases {
            let path = linkPath(interface, hook)
            if try Pinned.open(Self.filterMarker(path)) != nil {
                hook.removeFilter(on: interface)
                Pinned.remove(Self.filterMarker(path))
            }
            Pinned.remove(path)
        }
        try maps.endpoints.remove(UInt32(bitPattern: interface))
        try renew()
        posts[interface] = nil
        closedInterfaces.remove(interface)
        attached.remove(interface)
    }

    /// The interfaces that are guarded for an endpoint or held closed.
    private var interfaces: Set<Int32> { Set(posts.keys).union(closedInterfaces) }

    /// Programs of others on the hooks of guarded interfaces, by name.
    ///
    /// The calling thread has to be in the host namespace.
    public func otherPrograms() -> [Int32: [String]] {
        let ours = Set(
            [try? ProgramInfo(programs.from).id, try? ProgramInfo(programs.to).id].compactMap(
                \.self))
        var others: [Int32: [String]] = [:]
        for interface in interfaces {
            for hook in Hook.allCases {
                let found = (try? hook.programs(on: interface)) ?? []
                for program in found.map(\.program) where !ours.contains(program) {
                    others[interface, default: []].append(ProgramInfo.name(ofProgram: program))
                }
            }
        }
        others.merge(otherFilters(ours)) { $0 + $1 }
        return others
    }

    private func otherFilters(_ ours: Set<UInt32>) -> [Int32: [String]] {
        var others: [Int32: [String]] = [:]
        guard var socket = try? RouteSocket() else { return [:] }
        for interface in (try? socket.interfacesWithFilterHooks()) ?? []
        where posts[interface] != nil || closedInterfaces.contains(interface) {
            for hook in Hook.allCases {
                let found = (try? socket.filters(of: interface, at: hook.filters)) ?? []
                for filter in found where !(filter.program.map(ours.contains) ?? false) {
                    let name = filter.name ?? filter.kind
                    // Some kinds list their tables as well.
                    if others[interface]?.last != name {
                        others[interface, default: []].append(name)
                    }
                }
            }
        }
        return others
    }

    /// Takes everything away: programs, links, maps.
    public func removeAll() {
        Self.removeAll(root: configuration.root, host: configuration.host)
    }

    /// Takes away what was left for a host namespace.
    ///
    /// The calling thread has to be in it, for the filters that stand at interfaces.
    ///
    /// - Parameters:
    ///   - root: Where the BPF file system is mounted.
    ///   - host: The inode of the host namespace.
    public static func removeAll(root: String, host: UInt64) {
        let home = "\(root)/ringfence/\(host)"
        for folder in Pinned.names(in: home) {
            let path = home + "/" + folder
            for name in Pinned.names(in: path) {
                if folder == "links" { removeFilter(named: name) }
                Pinned.remove(path + "/" + name)
            }
            _ = rmdir(path)
        }
        _ = rmdir(home)
    }

    /// Takes away the filter that a marker tells of.
    private static func removeFilter(named name: String) {
        let parts = name.split(separator: "-")
        guard parts.count == 3, let interface = Int32(parts[0]) else { return }
        (parts[1] == "from" ? Hook.fromEndpoint : .toEndpoint).removeFilter(on: interface)
    }

    /// Whether links are pinned for a host namespace.
    ///
    /// - Parameters:
    ///   - root: Where the BPF file system is mounted.
    ///   - host: The inode of the host namespace.
    /// - Returns: Whether there are any.
    public static func isPresent(root: String, host: UInt64) -> Bool {
        !Pinned.names(in: "\(root)/ringfence/\(host)/links").isEmpty
    }
}
