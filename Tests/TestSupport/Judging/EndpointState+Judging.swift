internal import NetTypes
internal import Policy
public import Rules

/// What the maps say, without a kernel: the two lookups of the constant rules, spelled out.
extension EndpointState {
    /// The live rule that admits the flow; nil refuses it.
    public func rule(for probe: Probe) -> LiveRule? {
        let flow = probe.flow
        guard let peerClass = peerClass(of: probe) else { return nil }
        if let port = DHCP.port(of: flow, probe.direction),
            let message = admissions(probe.direction).first(where: {
                $0.peerClass == peerClass && $0.isDHCP && $0.ports.contains(port)
            })
        {
            return rules[message.rule]
        }
        let found = admissions(probe.direction).filter {
            $0.peerClass == peerClass && $0.protocols.contains(flow.ipProtocol.rawValue)
                && $0.ports.contains(flow.destinationPort)
        }
        precondition(found.count < 2, "admissions overlap")
        return found.first.flatMap { rules[$0.rule] }
    }

    private func peerClass(of probe: Probe) -> Mark? {
        let peer = probe.direction == .egress ? probe.flow.destination : probe.flow.source
        switch peer {
        case .v4(let number): return peers4.first { $0.addresses.contains(number) }?.peerClass
        case .v6(let number): return peers6.first { $0.addresses.contains(number) }?.peerClass
        }
    }
}
