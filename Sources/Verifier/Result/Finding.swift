public import NetTypes
public import Policy

/// A packet that the kernel treats in another way than the policies say.
///
/// One finding stands for all packets that differ for the same cause at the same place.
public struct Finding: Hashable, Sendable, Codable {
    public let kind: Kind
    public let path: AuditPath
    /// One packet that shows it.
    public let packet: CounterexamplePacket
    /// Who is on the other side, as discovery knows it; nil for the world beyond.
    public let peer: PartyNamed?
    public let policy: PolicySide
    public let kernel: KernelSide
    /// How many classes of packets differ for the same cause; at least 1.
    public var classes: Int

    public enum Kind: String, Hashable, Sendable, Codable {
        /// The kernel lets something pass that the policies refuse.
        case opens
        /// The kernel refuses something that the policies let pass.
        case closes
        /// The packet passes, as it should, but by another rule: counters and the next revocation
        /// would go wrong.
        case misattributes
        /// The packet doesn't reach its receiver as it was sent: it is translated, sent elsewhere,
        /// or given a mark that later packets pass by.
        case changes
    }

    public init(
        kind: Kind, path: AuditPath, packet: CounterexamplePacket, peer: PartyNamed? = nil,
        policy: PolicySide, kernel: KernelSide, classes: Int = 1
    ) {
        self.kind = kind
        self.path = path
        self.packet = packet
        self.peer = peer
        self.policy = policy
        self.kernel = kernel
        self.classes = classes
    }
}

/// An endpoint by its tenant and name.
public struct PartyNamed: Hashable, Sendable, Codable {
    public let tenant: String
    public let endpoint: String

    public init(tenant: String, endpoint: String) {
        self.tenant = tenant
        self.endpoint = endpoint
    }
}

/// A packet that can be sent to see for oneself.
public struct CounterexamplePacket: Hashable, Sendable, Codable {
    /// The way of the packet itself, seen from the endpoint: a reply to a call goes out of who was
    /// called.
    public let direction: PacketDirection
    public let source: IPAddress
    public let destination: IPAddress
    public let ipProtocol: IPProtocol
    /// Nil where the protocol has none.
    public let sourcePort: UInt16?
    public let destinationPort: UInt16?
    /// ICMP and ICMPv6 only.
    public let type: UInt8?
    public let code: UInt8?
    public let state: FlowState
    /// The mark that the flow carries; nil for a new one.
    public let connectionMark: UInt32?
    /// The packet's interface where it matters, by name.
    public let interface: String?
    /// What else the packet has to have, in words: `hop limit 255`, `packet mark 0x1`.
    public let details: [String]

    public init(
        direction: PacketDirection, source: IPAddress, destination: IPAddress,
        ipProtocol: IPProtocol, sourcePort: UInt16? = nil, destinationPort: UInt16? = nil,
        type: UInt8? = nil, code: UInt8? = nil, state: FlowState = .new,
        connectionMark: UInt32? = nil, interface: String? = nil, details: [String] = []
    ) {
        self.direction = direction
        self.source = source
        self.destination = destination
        self.ipProtocol = ipProtocol
        self.sourcePort = sourcePort
        self.destinationPort = destinationPort
        self.type = type
        self.code = code
        self.state = state
        self.connectionMark = connectionMark
        self.interface = interface
        self.details = details
    }

    public enum PacketDirection: String, Hashable, Sendable, Codable {
        case incoming
        case outgoing
        case forwarded
    }

    /// What connection tracking says of the packet.
    public enum FlowState: String, Hashable, Sendable, Codable {
        case new
        case established
        case related
        case invalid
        case untracked
    }
}

extension CounterexamplePacket: CustomStringConvertible {
    /// The packet in one line: `incoming tcp 10.0.0.1:40000 -> 10.0.0.2:443, new`.
    public var description: String {
        var words =
            "\(direction) \(ipProtocol) \(end(source, sourcePort)) -> "
            + end(destination, destinationPort)
        if let type { words += " type \(type)/\(code ?? 0)" }
        words += ", \(state)"
        if let connectionMark { words += " with mark 0x\(String(connectionMark, radix: 16))" }
        if let interface { words += ", interface \(interface)" }
        return ([words] + details).joined(separator: ", ")
    }

    private func end(_ address: IPAddress, _ port: UInt16?) -> String {
        guard let port else { return address.description }
        return address.family == .v4 ? "\(address):\(port)" : "[\(address)]:\(port)"
    }
}

/// What the policies say to a packet.
public struct PolicySide: Hashable, Sendable, Codable {
    public let passes: Bool
    /// The rule that lets it pass; nil where none does or none is needed.
    public let rule: RuleReference?
    /// In words: `no rule admits it`, `a source that is not its own`.
    public let reason: String

    public init(passes: Bool, rule: RuleReference? = nil, reason: String) {
        self.passes = passes
        self.rule = rule
        self.reason = reason
    }
}

/// What the kernel does with a packet.
public struct KernelSide: Hashable, Sendable, Codable {
    public let passes: Bool
    /// Where the verdict fell, or the mark was set; the last is the one that decided.
    public let places: [KernelPlace]
    /// In words: `drop by policy of chain input`.
    public let reason: String

    public init(passes: Bool, places: [KernelPlace], reason: String) {
        self.passes = passes
        self.places = places
        self.reason = reason
    }
}

/// A place in a ruleset that `nft -a list ruleset` shows.
public struct KernelPlace: Hashable, Sendable, Codable {
    public let family: String
    public let table: String
    public let chain: String?
    /// The rule's handle; nil for a chain's policy, or where no rule is.
    public let handle: UInt64?
    public let comment: String?
    /// The set or map that was looked into.
    public let set: String?
    /// The element that was found there, and its comment.
    public let element: String?
    public let elementComment: String?

    public init(
        family: String, table: String, chain: String? = nil, handle: UInt64? = nil,
        comment: String? = nil, set: String? = nil, element: String? = nil,
        elementComment: String? = nil
    ) {
        self.family = family
        self.table = table
        self.chain = chain
        self.handle = handle
        self.comment = comment
        self.set = set
        self.element = element
        self.elementComment = elementComment
    }
}

extension KernelPlace: CustomStringConvertible {
    /// The place in one line: `inet ringfence input handle 42 "calling" element 0x1 of rules`.
    public var description: String {
        var words = ["\(family) \(table)"]
        if let chain { words.append(chain) }
        if let handle { words.append("handle \(handle)") }
        if let comment { words.append("\"\(comment)\"") }
        if let set { words.append(element.map { "element \($0) of \(set)" } ?? "set \(set)") }
        if let elementComment { words.append("\"\(elementComment)\"") }
        return words.joined(separator: " ")
    }
}
