import CBPF
import Linux
import NetTypes
import TestSupport
@testable import HostFilter
@testable import Verifier

/// Programs by links.
extension HostMutator {
    /// A change to what stands at a post.
    func program(_ random: inout SeededGenerator) -> HostMutation {
        switch random.number(0...4) {
        case 0: detached(&random)
        case 1: replaced(&random)
        case 2, 3: neighbour(&random)
        default: driver(&random)
        }
    }

    private func detached(_ random: inout SeededGenerator) -> HostMutation {
        let (ground, place) = (ground, place(&random))
        return HostMutation(
            kind: "program detached", isHarmless: false,
            make: { try ground.usesLinks ? ground.unlink(place.path) : ground.clear(place) },
            undo: { try ground.stand() })
    }

    private func replaced(_ random: inout SeededGenerator) -> HostMutation {
        let (ground, place) = (ground, place(&random))
        let name = random.pick(["stranger", place.hook.program])
        return HostMutation(
            kind: "program replaced", isHarmless: false,
            make: {
                let other = try TinyProgram.filter(name)
                guard ground.usesLinks else {
                    return try ground.inHost {
                        try place.hook.setFilter(other, on: place.interface)
                    }
                }
                guard let link = try Pinned.open(place.path) else { return }
                let (raw, new) = (link.rawValue, other.rawValue)
                try checkBPF("replace") { bpf_link_update(raw, new, nil) }
            }, undo: { try ground.stand() })
    }

    /// Somebody else's program before ours, or behind it where that changes nothing.
    private func neighbour(_ random: inout SeededGenerator) -> HostMutation {
        let place = place(&random)
        return ground.usesLinks ? linked(place, &random) : filter(place, &random)
    }

    private func linked(
        _ place: HostGround.Place, _ random: inout SeededGenerator
    ) -> HostMutation {
        let (ground, mark) = (ground, place.path + "-stranger")
        let isBehind = place.hook == .fromEndpoint && random.once(in: 2)
        // One of another build would give what the endpoint sends another number.
        let isOtherBuild = isBehind && random.once(in: 2)
        return HostMutation(
            kind: isOtherBuild
                ? "program of another build behind"
                : isBehind ? "program behind" : "program before",
            isHarmless: isBehind && !isOtherBuild,
            make: {
                let other = try TinyProgram.filter(
                    isOtherBuild ? place.hook.program : "stranger")
                if !isBehind { try ground.unlink(place.path) }
                try ground.inHost {
                    try Pinned.pin(place.hook.attach(other, to: place.interface), at: mark)
                }
                try ground.stand()
            },
            undo: {
                try ground.unlink(mark)
                try ground.stand()
            })
    }

    /// A program of XDP: it sees what the endpoint sends before ours.
    private func driver(_ random: inout SeededGenerator) -> HostMutation {
        let (ground, place) = (ground, place(&random))
        // XDP_DROP and XDP_PASS; by the driver or by the kernel for it.
        let (isDropping, flags) = (random.once(in: 2), random.pick([UInt32(1 << 1), 1 << 2]))
        return HostMutation(
            kind: isDropping ? "XDP drops" : "XDP passes", isHarmless: false,
            make: {
                let program = try TinyProgram.load(
                    BPF_PROG_TYPE_XDP, "driver", returning: isDropping ? 1 : 2)
                let raw = program.rawValue
                try ground.inHost {
                    _ = try checkBPF("attach XDP") {
                        bpf_xdp_attach(place.interface, raw, flags, nil)
                    }
                }
            },
            undo: {
                try ground.inHost {
                    _ = try checkBPF("detach XDP") {
                        bpf_xdp_detach(place.interface, flags, nil)
                    }
                }
            })
    }

    private func place(_ random: inout SeededGenerator) -> HostGround.Place {
        let (post, direction) = (random.pick(ground.posts), random.pick(Direction.allCases))
        return HostGround.Place(
            interface: Int32(post.interface), name: post.name,
            hook: direction == .egress ? .fromEndpoint : .toEndpoint,
            path: ground.link(post, direction))
    }
}

extension HostGround {
    /// One way through a post.
    struct Place {
        let interface: Int32
        let name: String
        let hook: Hook
        /// Where the link is pinned; with `-filter` the program, where filters stand in for links.
        let path: String

        var side: String { hook == .fromEndpoint ? "ingress" : "egress" }
    }

    var usesLinks: Bool { attachment != .clsact }

    /// Takes a link away at once: one that is only not pinned any more runs on for a moment.
    func unlink(_ path: String) throws {
        guard let link = try Pinned.open(path) else { return }
        let raw = link.rawValue
        try checkBPF("detach \(path)") { bpf_link_detach(raw) }
        Pinned.remove(path)
    }

    /// Takes every filter at a place away.
    func clear(_ place: Place) throws { try run("tc filter del dev \(place.name) \(place.side)") }
}

/// Filters of clsact, where they stand in for links.
extension HostMutator {
    fileprivate func filter(
        _ place: HostGround.Place, _ random: inout SeededGenerator
    ) -> HostMutation {
        let ground = ground
        let at = "dev \(place.name) \(place.side)"
        let program = "protocol all bpf object-pinned \(place.path)-filter"
        let mark = "\(ground.root)/stranger"
        let stranger = "protocol all bpf object-pinned \(mark)"
        let isFrom = place.hook == .fromEndpoint
        let (kind, isHarmless, commands): (String, Bool, [String]) = random.pick([
            // Of two with one preference the later one is asked first.
            ("filter before", false, ["tc filter add \(at) pref 1 \(stranger) direct-action"]),
            (
                "filter at its place", false,
                [
                    "tc filter del \(at)", "tc filter add \(at) pref 1 \(stranger)",
                    "tc filter add \(at) pref 2 \(program) direct-action",
                ]
            ),
            ("filter behind", isFrom, ["tc filter add \(at) pref 9 \(stranger) direct-action"]),
            (
                "filter for one protocol", false,
                [
                    "tc filter del \(at)",
                    "tc filter add \(at) pref 1 handle 0x5246 "
                        + program.replacing("all", with: "ip", maxReplacements: 1)
                        + " direct-action",
                ]
            ),
            (
                "filter that doesn't act", false,
                ["tc filter del \(at)", "tc filter add \(at) pref 1 handle 0x5246 \(program)"]
            ),
            (
                "filter in another chain", false,
                [
                    "tc filter del \(at)",
                    "tc filter add \(at) chain 7 pref 1 \(program) direct-action",
                ]
            ),
        ])
        return HostMutation(
            kind: kind, isHarmless: isHarmless,
            make: {
                try Pinned.pin(try TinyProgram.filter(), at: mark)
                try ground.run(commands.joined(separator: "\n"))
            },
            undo: {
                Pinned.remove(mark)
                try ground.run("tc filter del \(at)\ntc filter del \(at) chain 7 || true")
                try ground.stand()
            })
    }
}
