import CBPF
import Linux
import TestSupport
@testable import HostFilter
@testable import Verifier

/// What no agent writes.
extension HostMutator {
    /// An endpoint's number for what comes through an interface of nobody.
    func stray(_ random: inout SeededGenerator) throws -> HostMutation? {
        guard let entry = try maps.endpoints.value(of: random.pick(ground.posts).interface) else {
            return nil
        }
        let (ground, maps, isCopy) = (ground, maps, random.once(in: 2))
        let (mark, interface) = ("\(ground.root)/stray", UInt32(HostGround.stray))
        let processors = ground.filter.processors
        // Without a program nobody asks who it is.
        let isAsked = !random.once(in: 4)
        return HostMutation(
            kind: (isCopy ? "copy of a stranger" : "entry of a stranger")
                + (isAsked ? "" : ", idle"), isHarmless: !isAsked,
            make: {
                if isAsked {
                    try ground.inHost {
                        let link = try Hook.fromEndpoint.attach(
                            ground.filter.programs.from, to: HostGround.stray)
                        try Pinned.pin(link, at: mark)
                    }
                }
                guard isCopy else { return try maps.endpoints.set(entry, for: interface) }
                var copy = rf_recent()
                copy.generation = ground.filter.generation
                (copy.interface, copy.endpoint) = (interface, entry)
                try ground.recent().setAll(
                    copy, at: interface % UInt32(RF_RECENT), processors: processors)
            },
            undo: {
                try ground.unlink(mark)
                try maps.endpoints.remove(interface)
                try ground.recent().setAll(
                    rf_recent(), at: interface % UInt32(RF_RECENT), processors: processors)
            })
    }

    /// Seeds that programs don't have: what the agent ends by its own, they go on finding.
    func seeds(_ random: inout SeededGenerator) throws -> HostMutation {
        let map = try ground.flowSeeds()
        let before = try map.value() ?? rf_seeds()
        var other = before
        other.words.10 ^= 1 << UInt64(random.number(0...63))
        return HostMutation(
            kind: "seeds of flows", isHarmless: false, make: { try map.set(other) },
            undo: { try map.set(before) })
    }
}

/// A map that the agent doesn't keep open.
final class FlowSeeds {
    private let map: BPFMap<UInt32, rf_seeds>

    init(_ folder: String) throws {
        map = try BPFMap(
            "flow_seeds", owning: checkBPF("open") { bpf_obj_get(folder + "/flow_seeds") })
    }

    func value() throws -> rf_seeds? { try map.value(of: 0) }

    func set(_ seeds: rf_seeds) throws { try map.set(seeds, for: 0) }
}

extension HostGround {
    fileprivate func recent() throws -> BPFMap<UInt32, rf_recent> {
        try BPFMap("recent", owning: checkBPF("open") { bpf_obj_get(folder + "/recent") })
    }

    fileprivate func flowSeeds() throws -> FlowSeeds { try FlowSeeds(folder) }
}
