import NetTypes
import Policy
import Rules
import TestSupport

/// A packet, and what the reference evaluator says to it.
struct Case {
    let probe: Probe
    let packet: Packet
    let fate: Fate

    init(_ probe: Probe, number: UInt16, fate: Fate) {
        self.probe = probe
        packet = Packet(flow: probe.flow, number: number)
        self.fate = fate
    }

    /// What the table keeps of the refused packet.
    var refusedFlow: RefusedFlow? {
        guard case .refused(let reason) = fate else { return nil }
        let (source, destination) =
            reason == .refused ? (probe.flow.sourcePort, probe.flow.destinationPort) : packet.ports
        return RefusedFlow(
            reason: reason, source: probe.flow.source, destination: probe.flow.destination,
            ipProtocol: probe.flow.ipProtocol.rawValue, sourcePort: source,
            destinationPort: destination)
    }

    /// The rule that is credited, at the end that the probe meets.
    var credited: Credit? {
        guard case .admitted(let rule) = fate else { return nil }
        return Credit(rule: rule.id, direction: probe.direction)
    }
}

/// A rule at one end.
struct Credit: Hashable {
    let rule: RuleID
    let direction: Direction
}
