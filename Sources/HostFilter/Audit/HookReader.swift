internal import CBPF
internal import Glibc
internal import Linux
internal import Verifier

/// Reads what stands on the hooks of interfaces, in the order in which it runs.
struct HookReader {
    /// Where links are pinned.
    let links: String

    /// What stands on hooks.
    struct Reading: Hashable {
        var hooks: [HostHook] = []
        /// Interfaces that are not there any more.
        var gone: Set<UInt32> = []
    }

    /// Both hooks of each interface.
    func hooks(
        _ interfaces: Set<Int32>, _ names: [Int32: String]
    ) throws(BPFError) -> Reading {
        var filtering: Set<Int32> = []
        do throws(SystemError) {
            var socket = try RouteSocket()
            filtering = try socket.interfacesWithFilterHooks()
        } catch {
            throw BPFError(error)
        }
        var reading = Reading()
        for interface in interfaces.sorted() {
            do throws(BPFError) {
                let name = names[interface] ?? "interface \(interface)"
                reading.hooks += try hooks(
                    interface, name, hasFilters: filtering.contains(interface))
            } catch {
                guard error.code == ENODEV else { throw error }
                reading.gone.insert(UInt32(bitPattern: interface))
            }
        }
        return reading
    }

    private func hooks(
        _ interface: Int32, _ name: String, hasFilters: Bool
    ) throws(BPFError) -> [HostHook] {
        var hooks: [HostHook] = []
        for hook in Hook.allCases {
            var standing = hook == .fromEndpoint ? try drivers(of: interface) : []
            standing += try linked(hook, interface)
            if hasFilters { standing += try filters(hook, interface) }
            hooks.append(
                HostHook(
                    interface: UInt32(bitPattern: interface), name: name,
                    isFromEndpoint: hook == .fromEndpoint, standing: standing))
        }
        return hooks
    }

    /// Programs of XDP: they see a packet before every other.
    private func drivers(of interface: Int32) throws(BPFError) -> [HostHook.Standing] {
        var id: UInt32 = 0
        try checkBPF("ask for XDP on interface \(interface)") {
            bpf_xdp_query_id(interface, 0, &id)
        }
        return id == 0 ? [] : [standing("xdp", id, isPinned: false)]
    }

    private func linked(
        _ hook: Hook, _ interface: Int32
    ) throws(BPFError) -> [HostHook.Standing] {
        guard hook.hasLinks(on: interface) else { return [] }
        var pinned: UInt32?
        if let link = try Pinned.open(path(interface, hook)) {
            pinned = try ProgramInfo.link(link).id
        }
        return try hook.programs(on: interface).map {
            standing("tcx", $0.program, isPinned: $0.link != 0 && $0.link == pinned)
        }
    }

    private func filters(
        _ hook: Hook, _ interface: Int32
    ) throws(BPFError) -> [HostHook.Standing] {
        let isMarked = try Pinned.open(path(interface, hook) + "-filter") != nil
        let place = try hook.filter(on: interface)
        let found: [PacketFilter]
        do throws(SystemError) {
            var socket = try RouteSocket()
            found = try socket.filters(of: interface, at: hook.filters)
        } catch {
            throw BPFError(error)
        }
        var standing: [HostHook.Standing] = []
        for filter in found {
            let one: HostHook.Standing =
                if let program = filter.program, filter.isBinding {
                    self.standing(filter.kind, program, isPinned: isMarked && program == place)
                } else {
                    // A program that some packets pass by, or whose word nobody takes, is none.
                    .init(
                        kind: filter.program == nil
                            ? filter.kind : "\(filter.kind) filter that binds nobody",
                        name: filter.name ?? "filter", program: nil, isPinned: false)
                }
            // Some kinds list their tables as well.
            if standing.last != one { standing.append(one) }
        }
        return standing
    }

    private func standing(_ kind: String, _ id: UInt32, isPinned: Bool) -> HostHook.Standing {
        .init(kind: kind, name: ProgramInfo.name(ofProgram: id), program: id, isPinned: isPinned)
    }

    private func path(_ interface: Int32, _ hook: Hook) -> String {
        "\(links)/\(interface)-\(hook == .fromEndpoint ? "from" : "to")"
    }
}
