internal import CBPF
internal import Glibc
internal import HostRules
internal import Linux
public import NetTypes
public import Rules

/// A flow that the host filter refused, as it was on the wire.
public struct HostRefusedFlow: Hashable, Sendable {
    /// The number of the endpoint whose veth refused.
    public let endpoint: UInt32
    /// Towards the endpoint, or from it.
    public let direction: Direction
    public let reason: HostRefusal
    /// The number of the endpoint that sent it; 0 is not known.
    public let sender: UInt32
    public let source: IPAddress
    public let destination: IPAddress
    public let ipProtocol: UInt8
    public let sourcePort: UInt16
    /// For ICMP type and code, for a frame of another kind its ethertype.
    public let destinationPort: UInt16
}

/// Why the host filter refused: `rf_reason`.
public enum HostRefusal: UInt8, Hashable, Sendable, CaseIterable {
    case refused = 1
    case revoked
    case spoofed
    case spoofedLinkAddress
    case arp
    case neighbourDiscovery
    case router
    case dhcpServer
    case etherType
    case vlan
    case malformed
    case extensionHeaders
    case fragment
    case identity
    case invalid
    case forwarded
}

/// What the host filter drops without blame, because a bridge gives it to everybody: the last of
/// `rf_reason`.
public enum HostOverheard: UInt8, Hashable, Sendable, CaseIterable {
    /// A frame for another link-layer address.
    case flooded = 17
    /// What hosts say to routers and to groups.
    case multicast
}

extension HostFilter {
    /// What an endpoint's live rules have counted.
    public func counts(of endpoint: NamespaceID) throws(BPFError) -> [Mark: RuleCount] {
        guard let number = numbers[endpoint.inode] else { return [:] }
        var counts: [Mark: RuleCount] = [:]
        for (mark, slot) in slots[number] ?? [:] { counts[mark] = try count(at: slot) }
        return counts
    }

    func count(at slot: UInt32) throws(BPFError) -> RuleCount {
        try maps.ruleCounts.values(at: slot, processors: processors)
            .reduce(into: earlier.count(at: slot)) { $0 += RuleCount($1) }
    }

    /// Every packet that was refused at an endpoint, by reason, whether its flow was kept or not.
    public func totals(of endpoint: NamespaceID) throws(BPFError) -> [HostRefusal: Count] {
        guard let number = numbers[endpoint.inode] else { return [:] }
        var totals: [HostRefusal: Count] = [:]
        for reason in HostRefusal.allCases {
            let sum = try total(of: reason.rawValue, at: number)
            if sum.packets > 0 { totals[reason] = sum }
        }
        return totals
    }

    /// Every frame that was dropped on its way to an endpoint without anybody's being blamed.
    public func overheard(
        by endpoint: NamespaceID
    ) throws(BPFError) -> [HostOverheard: Count] {
        guard let number = numbers[endpoint.inode] else { return [:] }
        var totals: [HostOverheard: Count] = [:]
        for kind in HostOverheard.allCases {
            let sum = try total(of: kind.rawValue, at: number)
            if sum.packets > 0 { totals[kind] = sum }
        }
        return totals
    }

    private func total(of reason: UInt8, at number: UInt32) throws(BPFError) -> Count {
        let index = Self.totalIndex(of: reason, at: number)
        return try maps.totals.values(at: index, processors: processors)
            .reduce(into: earlier.total(at: index)) { $0 += Count($1) }
    }

    static func totalIndex(of reason: UInt8, at number: UInt32) -> UInt32 {
        number * UInt32(RF_REASONS.rawValue) + UInt32(reason)
    }

    /// The refused flows that are kept, each with all that it has counted since it came.
    public func refusedFlows() throws(BPFError) -> [HostRefusedFlow: Count] {
        var flows: [HostRefusedFlow: Count] = [:]
        for (key, value) in try maps.refused.entries() {
            guard let flow = HostRefusedFlow(key) else { continue }
            flows[flow, default: .zero] += Count(packets: value.packets, bytes: value.bytes)
        }
        return flows
    }

    /// Makes room: takes the kept flows away, with their last counts.
    public func takeRefusedFlows() throws(BPFError) -> [HostRefusedFlow: Count] {
        try takeRefusedFlows { _ in true }
    }

    func takeRefusedFlows(
        where isWanted: (rf_refused_key) -> Bool
    ) throws(BPFError) -> [HostRefusedFlow: Count] {
        var flows: [HostRefusedFlow: Count] = [:]
        for key in try maps.refused.keys() where isWanted(key) {
            guard let value = try maps.refused.take(key) else { continue }
            maps.shares.add(-1, at: maps.shares.index(key.endpoint, RF_USAGE_REFUSED))
            guard let flow = HostRefusedFlow(key) else { continue }
            flows[flow, default: .zero] += Count(packets: value.packets, bytes: value.bytes)
        }
        return flows
    }

    /// Events that found the ring full.
    public func lostEvents() throws(BPFError) -> UInt64 {
        try maps.lost.values(at: 0, processors: processors).reduce(0, +)
    }

    /// Readable when a flow was refused for the first time.
    public var eventsDescriptor: CInt { events.descriptor }

    /// Takes the events out: what they tell stands in the maps.
    public func drainEvents() { _ = events.drain() }
}

extension RuleCount {
    init(_ count: rf_rule_count) {
        self.init(traffic: Count(packets: count.packets, bytes: count.bytes), flows: count.flows)
    }
}

extension Count {
    init(_ count: rf_count) { self.init(packets: count.packets, bytes: count.bytes) }
}

extension HostRefusedFlow {
    init?(_ key: rf_refused_key) {
        guard let reason = HostRefusal(rawValue: key.reason), let source = key.source.address,
            let destination = key.destination.address
        else { return nil }
        self.init(
            endpoint: key.endpoint, direction: key.hook == RF_TO.rawValue ? .ingress : .egress,
            reason: reason, sender: key.sender, source: source, destination: destination,
            ipProtocol: key.protocol, sourcePort: key.source_port,
            destinationPort: key.destination_port)
    }
}
