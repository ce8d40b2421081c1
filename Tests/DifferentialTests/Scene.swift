import HostFilter
import NetTypes
import Policy
import Rules
import TestSupport

/// An endpoint under some policies, and what the reference says there.
struct Scene {
    let policies: PolicySet
    let topology: Topology
    let endpoint: Endpoint
    /// Whose address it is on the host.
    let locals: [IPAddress: NamespaceID]

    init(_ policies: PolicySet, _ topology: Topology, at endpoint: Endpoint) {
        self.policies = policies
        self.topology = topology
        self.endpoint = endpoint
        locals = topology.endpoints.reduce(into: [:]) { result, endpoint in
            for address in endpoint.addresses { result[address] = endpoint.id }
        }
    }

    func fate(of probe: Probe) -> Fate { policies.fate(of: probe, at: endpoint, in: topology) }

    func isOwn(_ address: IPAddress) -> Bool { endpoint.addresses.contains(address) }

    /// Whether the source is one that nobody believes.
    func isSpoofed(_ source: IPAddress, _ direction: Direction) -> Bool {
        isOwn(source) != (direction == .egress)
    }
}

/// What the host filter has to make of a packet.
enum HostFate: Hashable {
    /// It never leaves the endpoint.
    case unseen
    case passes(Credit, opensFlow: Bool)
    case refused(HostRefusal)
}

// What is the host filter's own: docs/host-filter.md. What policies mean is asked of the reference.
extension Scene {
    /// Why the host filter refuses the first packet of a flow with nothing about it; nil where it
    /// doesn't.
    func hostRefusal(of probe: Probe, _ fate: Fate) -> HostRefusal? {
        let flow = probe.flow
        let isSpoofed = isSpoofed(flow.source, probe.direction)
        if probe.direction == .egress, isSpoofed { return .spoofed }
        if let unread = unread(flow) { return unread }
        if isSpoofed { return .spoofed }
        if flow.isError {
            let isRedirect = flow.ipProtocol == .icmp && flow.destinationPort >> 8 == 5
            return isRedirect ? .router : .invalid
        }
        if probe.direction == .egress, flow.isOfDHCPServer { return .dhcpServer }
        switch fate {
        case .admitted, .loopback: return nil
        case .refused(.invalid): return .invalid
        case .refused: return .refused
        }
    }

    /// What no flow can be read from.
    func unread(_ flow: Flow) -> HostRefusal? {
        if isOfOtherFamily(flow) { return .invalid }
        let queries: [UInt16] =
            flow.ipProtocol == .icmp
            ? [0, 8, 13, 14, 15, 16, 17, 18] : [128, 129, 139, 140]
        guard flow.ipProtocol.isICMP, !flow.isError else { return nil }
        return queries.contains(flow.destinationPort >> 8) ? nil : .invalid
    }

    /// Each family has its own ICMP.
    func isOfOtherFamily(_ flow: Flow) -> Bool {
        flow.ipProtocol == (flow.source.family == .v4 ? .icmpv6 : .icmp)
    }
}

extension Flow {
    /// Whether the message complains about another packet.
    var isError: Bool {
        let type = destinationPort >> 8
        return ipProtocol == .icmp && source.family == .v4 && [3, 4, 5, 11, 12].contains(type)
            || ipProtocol == .icmpv6 && source.family == .v6 && (1...4).contains(type)
    }

    fileprivate var isOfDHCPServer: Bool {
        guard ipProtocol == .udp else { return false }
        let ports: (UInt16, UInt16) = source.family == .v4 ? (67, 68) : (547, 546)
        return (sourcePort, destinationPort) == ports
    }
}
