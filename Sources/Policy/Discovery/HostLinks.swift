import NetTypes

/// How namespaces are joined to the host, and which addresses the host sends to whom.
///
/// All of it is the host's own word: nothing that a tenant does in its namespace changes a route, a bridge or the
/// other end of a link there.
struct HostLinks {
    /// What the host says of an address that a namespace has.
    enum Reach: Equatable {
        /// Its route leads to the namespace.
        case routed
        /// The host has no network on the namespace's link, so it can't tell.
        case unjudged
        /// Its route leads to a gateway on the namespace's link.
        case behind(Set<IPAddress>)
        /// It sends the address somewhere else, or nowhere.
        case elsewhere
    }

    /// How a namespace is joined to the host.
    struct Attachment {
        /// The host's links that reach the namespace.
        var links: Set<Int32> = []
        /// Addresses on links that reach the host or the outside, and through which of the host's links.
        var reachable: [IPAddress: Set<Int32>] = [:]
        /// Those of them on links of which the host may know nothing: ports of a bridge, children of a
        /// device, devices of their own.
        var sharesLink: Set<IPAddress> = []
        /// When each of them was configured there first.
        var created: [IPAddress: UInt64] = [:]
    }

    private let links: [Int32: ObservedInterface]
    /// By bridge, the ports that are veths to another link of the host.
    private let patches: [Int32: [ObservedInterface]]
    private let upper: [Int32: [ObservedInterface]]
    private let switchPorts: Set<Int32>
    private let routes: RouteIndex

    /// Nil where the host's routes were not read.
    init?(_ host: ObservedNamespace?) {
        guard let host, let routes = host.routes else { return nil }
        links = Dictionary(host.interfaces.map { ($0.index, $0) }, uniquingKeysWith: { $1 })
        patches = Dictionary(
            grouping: host.interfaces.filter { $0.kind == "veth" && $0.peerNamespace == nil }
        ) { $0.controllerIndex ?? 0 }
        upper = Dictionary(
            grouping: host.interfaces.filter { $0.lowerIndex != nil && $0.lowerNamespace == nil }
        ) { $0.lowerIndex ?? 0 }
        switchPorts = Set(host.interfaces.lazy.filter { $0.kind == "openvswitch" }.map(\.index))
        self.routes = RouteIndex(routes)
    }

    /// Whether the address is the next hop of one of the host's default routes.
    func isDefaultGateway(_ address: IPAddress) -> Bool { routes.defaultGateways.contains(address) }

    /// How the namespace is joined to the host.
    func attachment(of namespace: ObservedNamespace) -> Attachment {
        var attachment = Attachment()
        for interface in namespace.interfaces {
            guard let (end, isShared) = uplink(of: interface, in: namespace) else { continue }
            let segment = end.map(segment) ?? []
            attachment.links.formUnion(segment)
            attachment.created.merge(interface.created) { min($0, $1) }
            for address in interface.addresses {
                attachment.reachable[address, default: []].formUnion(segment)
                if isShared { attachment.sharesLink.insert(address) }
            }
        }
        return attachment
    }

    /// What the host says of an address that a namespace has.
    func reach(_ address: IPAddress, _ attachment: Attachment) -> Reach {
        let hops = routes.hops(to: address)
        let near = hops.filter { attachment.links.contains($0.link) }
        if near.contains(where: { $0.gateway == nil }) { return .routed }
        let gateways = Set(near.compactMap(\.gateway))
        if !gateways.isEmpty { return .behind(gateways) }
        let networks = routes.linksWithNetworks[address.family] ?? []
        guard attachment.sharesLink.contains(address), hops.allSatisfy({ $0.gateway != nil }),
            attachment.reachable[address]?.isDisjoint(with: networks) ?? false
        else { return .elsewhere }
        return .unjudged
    }

    /// The host's link that an interface is joined to, if it has one there, and whether others may be on the
    /// link as well; nil for an interface that reaches neither the host nor the outside.
    private func uplink(
        of interface: ObservedInterface, in namespace: ObservedNamespace
    ) -> (end: Int32?, isShared: Bool)? {
        switch interface.kind {
        case "veth", "netkit":
            guard let number = namespace.hostNumber, interface.peerNamespace == number,
                let peer = interface.peerIndex, let end = links[peer],
                end.peerIndex == interface.index
            else { return nil }
            return (peer, end.controllerIndex != nil)
        // A device of its own: nothing that a namespace's root can make.
        case nil where interface.index != 1: return (nil, true)
        default:
            guard let number = namespace.hostNumber, interface.lowerNamespace == number,
                let lower = interface.lowerIndex
            else { return nil }
            return (lower, true)
        }
    }

    /// The host's links that share a broadcast domain with one of them.
    private func segment(_ end: Int32) -> Set<Int32> {
        var found: Set<Int32> = [end]
        var open = [end]
        while let index = open.popLast() {
            for next in joined(to: index) where found.insert(next).inserted { open.append(next) }
        }
        return found
    }

    private func joined(to index: Int32) -> [Int32] {
        guard let link = links[index] else { return [] }
        switch link.kind {
        case "bridge":
            return (upper[index] ?? []).map(\.index)
                + (patches[index] ?? []).compactMap(\.peerIndex)
        case "openvswitch": return Array(switchPorts)
        default:
            guard let controller = link.controllerIndex, links[controller]?.kind != "vrf"
            else { return [] }
            return [controller]
        }
    }
}
