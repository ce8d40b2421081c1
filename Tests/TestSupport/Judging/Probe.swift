public import NetTypes
public import Policy
public import Rules

/// The first packet of a flow, sent to or by one endpoint.
public struct Probe: Hashable, Sendable {
    public let direction: Direction
    public let flow: Flow

    public init(direction: Direction, flow: Flow) {
        self.direction = direction
        self.flow = flow
    }
}

extension Probe: CustomStringConvertible {
    public var description: String {
        "\(direction) \(flow.ipProtocol) \(flow.source) port \(flow.sourcePort) -> "
            + "\(flow.destination) port \(flow.destinationPort)"
            + (flow.ipProtocol.isICMP
                ? " (type \(flow.destinationPort >> 8) code \(flow.destinationPort & 0xff))" : "")
    }
}

/// What is to become of a probe.
public enum Fate: Hashable, Sendable {
    case admitted(Rule)
    case loopback
    case refused(Refusal)

    public var passes: Bool {
        if case .refused = self { false } else { true }
    }
}

extension Fate: CustomStringConvertible {
    public var description: String {
        switch self {
        case .admitted(let rule): "admitted by \(rule.id) (\(rule.policy.name), \(rule.place))"
        case .loopback: "loopback"
        case .refused(let reason): "\(reason)"
        }
    }
}

extension PolicySet {
    /// What the reference evaluator says, and before it what no policy can change: what an endpoint
    /// sends itself stays inside, its addresses come from it alone, and what opens no flow does not
    /// pass.
    public func fate(of probe: Probe, at endpoint: Endpoint, in topology: Topology) -> Fate {
        let isEgress = probe.direction == .egress
        if isEgress, endpoint.addresses.contains(probe.flow.destination) { return .loopback }
        let isOwn = endpoint.addresses.contains(probe.flow.source)
        if isEgress, DHCP.isDiscovery(probe.flow) {
            let rule = verdict(
                for: probe.flow, at: endpoint, direction: .egress, in: topology
            ).rule
            if let rule, rule.service.isDHCP { return .admitted(rule) }
        }
        if isOwn != isEgress { return .refused(isEgress ? .spoofed : .ownOutside) }
        let verdict = verdict(
            for: probe.flow, at: endpoint, direction: probe.direction, in: topology)
        guard probe.flow.opensFlow else { return .refused(.invalid) }
        return verdict.rule.map(Fate.admitted) ?? .refused(.refused)
    }
}

extension Flow {
    /// Whether conntrack takes the packet for the first of a flow: every protocol, but of ICMP only
    /// requests, and only in their own family (valid_new of nf_conntrack_proto_icmp.c and
    /// nf_conntrack_proto_icmpv6.c).
    public var opensFlow: Bool {
        let type = destinationPort >> 8
        switch ipProtocol {
        case .icmp: return source.family == .v4 && [8, 13, 15, 17].contains(type)
        case .icmpv6: return source.family == .v6 && [128, 139].contains(type)
        default: return true
        }
    }
}
