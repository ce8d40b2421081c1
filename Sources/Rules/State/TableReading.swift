public import NetTypes

extension UInt64 {
    /// The sum, or the largest number that a signed one of 64 bits can be.
    ///
    /// Whoever is root in a namespace may make elements there whose counters start anywhere.
    public func addingCount(_ other: UInt64) -> UInt64 {
        let (sum, isTooLarge) = addingReportingOverflow(other)
        return isTooLarge ? .max >> 1 : Swift.min(sum, .max >> 1)
    }
}

/// Packets and bytes that a kernel counter has seen.
public struct Count: Hashable, Sendable, Codable {
    public var packets: UInt64
    public var bytes: UInt64

    public init(packets: UInt64 = 0, bytes: UInt64 = 0) {
        self.packets = packets
        self.bytes = bytes
    }

    public static let zero = Count()

    public static func + (left: Count, right: Count) -> Count {
        Count(
            packets: left.packets.addingCount(right.packets),
            bytes: left.bytes.addingCount(right.bytes))
    }

    public static func += (left: inout Count, right: Count) { left = left + right }

    /// What is left of this count when a part is known elsewhere; never below zero.
    public func subtracting(_ part: Count) -> Count {
        Count(
            packets: packets - min(part.packets, packets), bytes: bytes - min(part.bytes, bytes))
    }
}

/// What a rule's mark has counted at an endpoint.
public struct RuleCount: Hashable, Sendable, Codable {
    /// Packets of both directions.
    public var traffic: Count
    /// Flows that the rule admitted as their first; flows taken over from another rule are not
    /// counted again.
    public var flows: UInt64

    public init(traffic: Count = .zero, flows: UInt64 = 0) {
        self.traffic = traffic
        self.flows = flows
    }

    /// Adds flows that the kernel has counted.
    public mutating func admit(_ flows: UInt64) { self.flows = self.flows.addingCount(flows) }

    public static func += (left: inout RuleCount, right: RuleCount) {
        left.traffic += right.traffic
        left.flows = left.flows.addingCount(right.flows)
    }
}

/// A refused flow as the kernel keeps it: the tuple of its original direction.
public struct RefusedFlow: Hashable, Sendable, Codable {
    public let reason: Refusal
    public let source: IPAddress
    public let destination: IPAddress
    public let ipProtocol: UInt8
    /// Of a protocol without ports: the first 16 bits that conntrack or the packet has there.
    public let sourcePort: UInt16
    /// For ICMP the type in the high byte and the code in the low one.
    public let destinationPort: UInt16

    public init(
        reason: Refusal, source: IPAddress, destination: IPAddress, ipProtocol: UInt8,
        sourcePort: UInt16, destinationPort: UInt16
    ) {
        self.reason = reason
        self.source = source
        self.destination = destination
        self.ipProtocol = ipProtocol
        self.sourcePort = sourcePort
        self.destinationPort = destinationPort
    }
}

/// All that one reading of an endpoint's table found.
public struct TableReading: Sendable {
    /// Whether sets, chains and rules are those of `Program`, all of them and nothing else.
    public var isIntact: Bool
    /// Why not, in words.
    public var damage: String?
    /// The netlink port of the owner; nil when nobody owns the table.
    public var owner: UInt32?
    public var state: EndpointState
    public var counts: TableCounts

    public init(
        isIntact: Bool, damage: String?, owner: UInt32?, state: EndpointState, counts: TableCounts
    ) {
        self.isIntact = isIntact
        self.damage = damage
        self.owner = owner
        self.state = state
        self.counts = counts
    }
}

/// The counters of one endpoint's table.
public struct TableCounts: Hashable, Sendable {
    public var rules: [Mark: RuleCount]
    public var refused: [RefusedFlow: Count]
    /// Every packet that was refused for the reason, whether its flow was kept or not.
    public var totals: [Refusal: Count]
    /// Packets that were refused without their flow being kept.
    public var unkept: [Refusal: Count]

    public init(
        rules: [Mark: RuleCount] = [:], refused: [RefusedFlow: Count] = [:],
        totals: [Refusal: Count] = [:], unkept: [Refusal: Count] = [:]
    ) {
        self.rules = rules
        self.refused = refused
        self.totals = totals
        self.unkept = unkept
    }
}
