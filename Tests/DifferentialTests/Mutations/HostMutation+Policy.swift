import CBPF
import HostRules
import NetTypes
import Rules
import TestSupport
@testable import HostFilter
@testable import Verifier

/// What is admitted.
extension HostMutator {
    func shape(_ random: inout SeededGenerator) throws -> HostMutation? {
        let all = try maps.shapes.entries()
        guard !all.isEmpty else { return nil }
        let (key, shape) = random.pick(all)
        let isSurplus = random.once(in: 3)
        return try change(
            isSurplus ? "shape surplus" : "shape narrowed", key,
            isSurplus ? shape | 1 << 3 : shape & (shape - 1), isHarmless: isSurplus ? true : nil,
            { try maps.shapes.value(of: $0) }, { [maps] in try maps.shapes.put($1, for: $0) })
    }

    func admission(_ random: inout SeededGenerator) throws -> HostMutation? {
        let all = try maps.admissions.entries()
        guard !all.isEmpty else { return nil }
        var (key, admission) = random.pick(all)
        let alike = all.filter { $0.key.endpoint == key.endpoint }
        var kind = "admission removed"
        var isRemoved = false
        switch random.number(0...3) {
        case 0: isRemoved = true
        case 1:
            kind = "admission moved"
            key.peer_class = random.pick(alike.map(\.key.peer_class))
        case 2:
            kind = "admission of another rule"
            admission = random.pick(alike.map(\.value))
        default:
            kind = "admission of another port"
            key.port ^= UInt16(1) << UInt16(16 - min(max(key.port_bits, 1), 16))
        }
        return try change(
            kind, key, isRemoved ? nil : admission, { try maps.admissions.value(of: $0) },
            { [maps] in try maps.admissions.put($1, for: $0) })
    }

    func rule(_ random: inout SeededGenerator) throws -> HostMutation? {
        let slots = ground.filter.slots.values.flatMap(\.values).sorted()
        guard let last = slots.last else { return nil }
        if random.once(in: 4) {
            // A rule that nothing names.
            return try change(
                "idle rule live", last + 1, UInt64(1) << 32 | 0x8000_0001, isHarmless: true,
                { try maps.rules.value(of: $0) }, { [maps] in try maps.rules.set($1 ?? 0, for: $0) }
            )
        }
        let slot = random.pick(slots)
        let other = try maps.rules.value(of: random.pick(slots)) ?? 0
        let isDead = random.once(in: 2)
        return try change(
            isDead ? "rule dead" : "rule moved", slot, isDead ? 0 : other,
            { try maps.rules.value(of: $0) }, { [maps] in try maps.rules.set($1 ?? 0, for: $0) })
    }

    /// A flow that somebody has opened under another policy: it goes on if its rule is live.
    func flow(_ random: inout SeededGenerator) throws -> HostMutation? {
        let number = UInt32(random.number(1...ground.posts.count))
        let rules = ground.filter.slots[number] ?? [:]
        guard let (mark, slot) = rules.min(by: { $0.value < $1.value }),
            let own = ground.filter.held[number]?.own.min()
        else { return nil }
        let isLive = random.once(in: 2)
        var flow = rf_flow()
        flow.key.endpoint = UInt16(number)
        flow.key.protocol = 17
        (flow.key.local_port, flow.key.remote_port) = (40_000, UInt16(random.number(1...65_535)))
        flow.key.local = rf_address(own)
        flow.key.remote = rf_address(
            own.family == .v4 ? .v4(0xcb00_7109) : .v6(0x2001_0db8 << 96 | 9))
        flow.seen = .max >> 1
        flow.mark = isLive ? mark.rawValue : mark.rawValue ^ 1
        flow.slot = slot
        flow.remote = RF_UNKNOWN
        flow.direction = UInt8(RF_EGRESS.rawValue)
        let (maps, key, forged) = (maps, flow.key, flow)
        let used = try ground.overflowUsed()
        return HostMutation(
            kind: isLive ? "flow forged" : "flow without rule", isHarmless: isLive ? nil : true,
            make: {
                try maps.overflowFlows.set(forged, for: key)
                try used.set(1, for: 0)
            },
            undo: {
                try maps.overflowFlows.remove(key)
                try used.set(0, for: 0)
            })
    }

    /// What only counts, or is never asked for.
    func idle(_ random: inout SeededGenerator) throws -> HostMutation? {
        if random.once(in: 2) {
            var key = rf_own_key()
            key.endpoint = UInt32(random.number(1...ground.posts.count))
            guard ground.filter.held[key.endpoint]?.profile.addresses.isEmpty == false else {
                return nil
            }
            key.address = rf_address(.v4(0x0a01_0023))
            return try change(
                "own address that is not asked for", key, UInt32(1), isHarmless: true,
                { try maps.own.value(of: $0) }, { [maps] in try maps.own.put($1, for: $0) })
        }
        let index = HostFilter.usage(of: 1, RF_USAGE_OWN)
        return try change(
            "use counted up", index, UInt64(3), isHarmless: true,
            { maps.shares.counts(upTo: 0xffff)[Int($0)] },
            { [maps] in
                let change = Int64($1 ?? 0) - Int64(maps.shares.counts(upTo: 0xffff)[Int($0)])
                maps.shares.add(change, at: Int($0))
            })
    }
}

/// What processors remember.
extension HostMutator {
    /// What a processor would have judged under another policy: the next of the same are judged alike.
    func judgement(_ random: inout SeededGenerator) throws -> HostMutation? {
        let number = UInt32(random.number(1...ground.posts.count))
        let rules = ground.filter.slots[number] ?? [:]
        guard let (mark, slot) = rules.min(by: { $0.value < $1.value }),
            let own = ground.filter.held[number]?.own.min()
        else { return nil }
        let isEgress = random.once(in: 2)
        let outside: IPAddress =
            own.family == .v4 ? .v4(0xcb00_7109) : .v6(0x2001_0db8 << 96 | 9)
        let callees = try maps.peers.entries().map(\.key).filter {
            $0.endpoint == number && $0.source == 0 && $0.address.address?.family == own.family
        }
        let isPeer = isEgress && !callees.isEmpty && random.once(in: 2)
        var last = rf_judgement()
        last.generation = ground.filter.generation
        last.who =
            UInt64(number) | 6 << 16
            | UInt64(isEgress ? RF_EGRESS.rawValue : RF_INGRESS.rawValue) << 24
        last.remote = isPeer ? random.pick(callees.map(\.address)) : rf_address(outside)
        last.port = UInt32(random.number(1...65_535))
        var kind = "judgement forged"
        var isHarmless: Bool?
        switch random.number(0...4) {
        case 0: (kind, isHarmless, last.mark) = ("judgement without rule", true, mark.rawValue ^ 1)
        case 1: (kind, isHarmless, last.generation) = ("old judgement", true, last.generation - 1)
        case 2: (kind, last.reason) = ("judgement refused", RF_REFUSED.rawValue)
        default: break
        }
        if kind != "judgement without rule" { last.mark = mark.rawValue }
        last.slot = slot
        let place = rf_judgement_place(last.who, &last.remote, last.port)
        let (judgements, forged) = (
            try PinnedArray<rf_judgement>("judgements", in: ground.folder), last
        )
        return HostMutation(
            kind: kind, isHarmless: isHarmless, make: { try judgements.setAll(forged, for: place) },
            undo: { try judgements.setAll(rf_judgement(), for: place) })
    }
}

/// A map that the agent doesn't keep open.
final class PinnedArray<Value: BitwiseCopyable> {
    private let map: BPFMap<UInt32, Value>

    init(_ name: String, in folder: String) throws {
        map = try BPFMap(name, owning: checkBPF("open") { bpf_obj_get("\(folder)/\(name)") })
    }

    func set(_ value: Value, for key: UInt32) throws { try map.set(value, for: key) }

    /// On all processors.
    func setAll(_ value: Value, for key: UInt32) throws {
        try map.setAll(value, at: key, processors: Int(libbpf_num_possible_cpus()))
    }
}

extension HostGround {
    func overflowUsed() throws -> PinnedArray<UInt32> {
        try PinnedArray("overflow_used", in: folder)
    }
}
