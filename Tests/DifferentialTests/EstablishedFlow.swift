import NetTypes
import Policy
import Rules
import TestSupport

/// A flow that keeps sending in both directions while the policies change.
struct EstablishedFlow {
    let probe: Probe
    /// Whether a packet of it has passed, so that conntrack knows it.
    var isKnown = false

    /// A packet of the flow, and what has to become of it.
    struct Step {
        let packet: Packet
        let direction: Direction
        let passes: Bool
        let refusedFlow: RefusedFlow?
    }

    /// One packet the way of the first, and one back when the flow is known.
    mutating func steps(
        number: UInt16, at endpoint: Endpoint, in policies: PolicySet, _ topology: Topology
    ) -> [Step] {
        let verdict = policies.verdict(
            for: probe.flow, at: endpoint, direction: probe.direction, in: topology)
        let isAdmitted = verdict.rule != nil
        var steps = [
            step(probe.flow, probe.direction, number, isAdmitted: isAdmitted, endpoint)
        ]
        if steps[0].passes { isKnown = true }
        if isKnown {
            let back = Flow(
                source: probe.flow.destination, destination: probe.flow.source,
                ipProtocol: probe.flow.ipProtocol, sourcePort: probe.flow.destinationPort,
                destinationPort: probe.flow.sourcePort)
            steps.append(
                step(back, probe.direction.reversed, number + 1, isAdmitted: isAdmitted, endpoint))
        }
        return steps
    }

    private func step(
        _ flow: Flow, _ direction: Direction, _ number: UInt16, isAdmitted: Bool,
        _ endpoint: Endpoint
    ) -> Step {
        let isOwn = endpoint.addresses.contains(flow.source)
        let isSpoofed = isOwn != (direction == .egress)
        let reason: Refusal? =
            isSpoofed
            ? (isOwn ? .ownOutside : .spoofed) : isAdmitted ? nil : isKnown ? .revoked : .refused
        // A refused flow is kept by the tuple of its first packet, a packet without one by its own.
        let key = isSpoofed ? flow : probe.flow
        return Step(
            packet: Packet(flow: flow, number: number), direction: direction,
            passes: reason == nil,
            refusedFlow: reason.map {
                RefusedFlow(
                    reason: $0, source: key.source, destination: key.destination,
                    ipProtocol: key.ipProtocol.rawValue, sourcePort: key.sourcePort,
                    destinationPort: key.destinationPort)
            })
    }
}
