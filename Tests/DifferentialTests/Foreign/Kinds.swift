import NetTypes

@testable import Verifier

/// What becomes of all packets at once, held against what becomes of single ones.
///
/// A proof follows kinds of packets, and the kernel is asked about single ones: both have to come to
/// the same end with the same marks.
final class Kinds {
    private let trial: PacketTrial
    private var runs: [Scenario: Run] = [:]

    private struct Run {
        var machine: Machine
        let leaves: [Leaf]
    }

    /// An end that a packet can come to, with what it leaves behind.
    private struct End: Hashable, CustomStringConvertible {
        let fate: Leaf.Fate
        let packetMark: UInt128?
        let flowMark: UInt128?

        var description: String {
            "\(fate), marks \(packetMark.map(String.init) ?? "none") "
                + "\(flowMark.map(String.init) ?? "none")"
        }
    }

    init(_ trial: PacketTrial) { self.trial = trial }

    /// The packets that come to other ends by themselves than among all.
    func disagreements(_ packets: [TrialPacket]) -> [String] {
        packets.compactMap { packet in
            let scenario = Scenario(
                family: packet.source.family, way: packet.direction, flow: .first)
            var run = runs[scenario] ?? follow(scenario)
            let space = trial.space(of: packet, &run.machine)
            let among = Set(run.leaves.filter { contains($0, space) }.map { end($0, space, run) })
            runs[scenario] = run
            let alone = ends(of: packet, scenario)
            return among == alone ? nil : "\(packet): alone \(alone), among all \(among)"
        }
    }

    /// Every packet that opens a flow, whatever it is and wherever it goes.
    private func follow(_ scenario: Scenario) -> Run {
        var machine = trial.machine(scenario)
        var space = Space()
        space.set(machine.fields.number(of: .ct(0, 2), width: 4), .single(UInt128(StateBit.new)))
        space.set(Place.connectionStatus, .single(0))
        space.set(Place.packetMark, .single(0))
        space.set(machine.fields.number(of: .hasExtensions), .single(0))
        var leaves: [Leaf] = []
        machine.follow(space) { leaves.append($0) }
        return Run(machine: machine, leaves: leaves)
    }

    private func ends(of packet: TrialPacket, _ scenario: Scenario) -> Set<End> {
        var machine = trial.machine(scenario)
        let space = trial.space(of: packet, &machine)
        var leaves: [Leaf] = []
        machine.follow(space) { leaves.append($0) }
        let run = Run(machine: machine, leaves: leaves)
        return Set(leaves.map { end($0, $0.state.space, run) })
    }

    /// Whether a packet is of a leaf's kind, whatever chance decides.
    private func contains(_ leaf: Leaf, _ space: Space) -> Bool {
        (0..<leaf.state.space.count).allSatisfy { field in
            guard let domain = leaf.state.space.narrowed(field), let own = space.narrowed(field)
            else { return true }
            return domain.contains(own.first)
        }
    }

    private func end(_ leaf: Leaf, _ space: Space, _ run: Run) -> End {
        func mark(_ place: Int) -> UInt128? {
            guard leaf.fate == .passes, let bytes = leaf.state.written[place] else { return nil }
            return run.machine.values(of: bytes, in: space).first?.value
        }
        return End(
            fate: leaf.fate, packetMark: mark(Place.packetMark),
            flowMark: mark(Place.connectionMark))
    }
}
