import Linux
import NetTypes
import Nftables
import Policy
import Rules
import TestSupport

/// A namespace that stands for an endpoint: packets can be sent to it and out of it, and its table
/// be set to any state.
final class Station {
    let id: NamespaceID
    let table: EndpointTable
    let command: NamespaceCommand
    let observer: Observer
    /// What the table holds; nil when there is none.
    private(set) var state: EndpointState?
    private let namespace: NetworkNamespace
    private let tunnel: Tunnel
    private let socket4: RawSocket
    private let socket6: RawSocket
    private let flows: FlowTable
    private var number: UInt16 = 1

    init(addresses: [String], _ mode: Observer.Mode) throws {
        let namespace = try NetworkNamespace.temporary()
        let command = NamespaceCommand(namespace)
        let tunnel = try namespace.run { () throws(SystemError) in try Tunnel() }
        try command.run(Self.network(addresses))
        observer = try Observer(in: namespace, mode)
        socket4 = try namespace.run { () throws(SystemError) in try RawSocket(.v4) }
        socket6 = try namespace.run { () throws(SystemError) in try RawSocket(.v6) }
        flows = try namespace.run { () throws(SystemError) in try FlowTable() }
        table = EndpointTable(
            try namespace.run { () throws(SystemError) in try NetfilterSocket() })
        id = namespace.id
        self.command = command
        self.tunnel = tunnel
        self.namespace = namespace
    }

    /// One station for each list of addresses.
    static func all(_ mode: Observer.Mode) throws -> [Station] {
        try SmallWorld.stations.map { try Station(addresses: $0, mode) }
    }

    /// Everything leads to the tun device, and nothing is sent unasked.
    private static func network(_ addresses: [String]) -> String {
        let settings = [
            "ipv4.conf.all.rp_filter=0", "ipv4.conf.\(Tunnel.name).rp_filter=0",
            "ipv4.conf.\(Tunnel.name).accept_local=1", "ipv6.auto_flowlabels=0",
            "ipv6.conf.\(Tunnel.name).router_solicitations=0",
            "ipv6.conf.\(Tunnel.name).addr_gen_mode=1", "netfilter.nf_conntrack_checksum=0",
            "netfilter.nf_conntrack_udp_timeout=600",
            // What stays in pieces is gone before its number comes again.
            "ipv4.ipfrag_time=10", "netfilter.nf_conntrack_frag6_timeout=10",
            "ipv4.ipfrag_high_thresh=67108864",
            "netfilter.nf_conntrack_frag6_high_thresh=67108864",
        ]
        let links = ["ip link set lo up", "ip link set \(Tunnel.name) up"]
        let own = addresses.map {
            "ip addr add \($0) dev \(Tunnel.name)" + ($0.contains(":") ? " nodad" : "")
        }
        let routes = [
            "ip route add default dev \(Tunnel.name)", "ip -6 route add default dev \(Tunnel.name)",
        ]
        let settled = addresses.filter { $0.contains(":") }.map(Self.wait)
        return (settings.map { "sysctl -qw net.\($0)" } + links + own + routes + settled)
            .joined(separator: "\n")
    }

    /// The kernel makes an IPv6 address local in the background; until then it receives nothing.
    private static func wait(for address: String) -> String {
        """
        for try in $(seq 500); do
          ip -6 route show table local | grep -q "^local \(address) " && break
          sleep 0.01
        done
        ip -6 route show table local | grep -q "^local \(address) "
        """
    }

    /// Brings a state into force as a delta from what is held.
    @discardableResult
    func enforce(_ next: EndpointState) throws -> EndpointTable.Retired {
        let retired = try table.apply(
            next.changes(from: state), presence: state == nil ? .absent : .owned)
        state = next
        return retired
    }

    /// Makes the table anew in the transaction that brings the state into force.
    func rebuild(_ next: EndpointState) throws {
        _ = try table.apply(next.changes(from: nil), presence: state == nil ? .absent : .damaged)
        state = next
    }

    /// Removes the table.
    func release() throws {
        try table.remove()
        state = nil
    }

    /// Sends a packet to the namespace, or out of it.
    func send(_ packet: Packet, _ direction: Direction) throws(SystemError) {
        guard direction == .egress else { return try tunnel.receive(packet.bytes) }
        switch packet.destination {
        case .v4: try socket4.send(packet.bytes, to: packet.destination)
        case .v6: try socket6.send(packet.bytes, to: packet.destination)
        }
    }

    /// Sends what a case is made of.
    func send(_ item: Case) throws(SystemError) {
        for step in item.steps { try send(step.packet, step.direction) }
        // Without ports the next packet would belong to the same flow.
        if item.isLasting, !item.probe.flow.ipProtocol.hasPorts { try forgetFlows() }
    }

    /// Makes every packet the first of its flow again.
    func forgetFlows() throws(SystemError) { try flows.clear() }

    /// The first of the numbers that a case takes, which no packet has had for long.
    func nextNumber(for form: Form) -> UInt16 {
        if number > UInt16.max - 4 { number = 1 }
        defer { number += form.kind == .errors ? 2 : 1 }
        return number
    }

    /// The namespace, opened once more.
    func openNamespace() throws(SystemError) -> NetworkNamespace {
        try NetworkNamespace(at: "/proc/self/fd/\(namespace.descriptor.rawValue)")
    }

    /// Drops what was sent out.
    func drain() { tunnel.drain() }
}
