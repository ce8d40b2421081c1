/// What an audit found at the host ends of the veths.
public struct HostFilterAudit: Hashable, Sendable, Codable {
    public var posts: [PostAudit]
    /// How many entries each map has.
    public var maps: [String: Int]
    public var findings: [HostFilterFinding]
    public var unproven: [Unproven]

    public init(
        posts: [PostAudit] = [], maps: [String: Int] = [:], findings: [HostFilterFinding] = [],
        unproven: [Unproven] = []
    ) {
        self.posts = posts
        self.maps = maps
        self.findings = findings
        self.unproven = unproven
    }

    public var outcome: AuditOutcome {
        findings.isEmpty ? unproven.isEmpty ? .proven : .notProven : .violated
    }
}

/// One hook of one interface of the host, with all programs on it.
public struct PostAudit: Hashable, Sendable, Codable {
    public let interface: Int32
    public let name: String
    /// The endpoint behind the veth.
    public let endpoint: PartyNamed?
    /// `ingress` is what comes from the endpoint, `egress` what goes to it.
    public let hook: String
    /// In the order in which they run.
    public let programs: [AttachedProgram]

    public init(
        interface: Int32, name: String, endpoint: PartyNamed?, hook: String,
        programs: [AttachedProgram]
    ) {
        self.interface = interface
        self.name = name
        self.endpoint = endpoint
        self.hook = hook
        self.programs = programs
    }
}

/// An eBPF program on a hook.
public struct AttachedProgram: Hashable, Sendable, Codable {
    public let id: UInt32
    public let name: String
    /// The kernel's hash of its instructions, in hexadecimal digits.
    public let tag: String
    /// Whether it is Ringfence's: its tag is that of the program in this binary, or of the one that
    /// the pinned link runs.
    public let isOwn: Bool
    public let isPinned: Bool

    public init(id: UInt32, name: String, tag: String, isOwn: Bool, isPinned: Bool) {
        self.id = id
        self.name = name
        self.tag = tag
        self.isOwn = isOwn
        self.isPinned = isPinned
    }
}

/// Something at the host ends that is not as the policies say.
public struct HostFilterFinding: Hashable, Sendable, Codable {
    public let kind: Kind
    public let endpoint: PartyNamed?
    public let interface: String?
    /// The packet that it lets pass or holds up, where one can be named.
    public let packet: CounterexamplePacket?
    public let policy: PolicySide?
    /// The map and its entry, or the hook and its programs, in words.
    public let place: String
    public let reason: String

    public enum Kind: String, Hashable, Sendable, Codable {
        /// No program of ours where one has to be.
        case detached
        /// Another program than ours holds our place.
        case replaced
        /// A foreign program runs before ours and may decide for it.
        case foreignProgram
        /// The maps let something pass that the policies refuse.
        case opens
        /// The maps refuse something that the policies let pass.
        case closes
        /// The packet passes by another rule than the policies' first one.
        case misattributes
        /// Identity, address or interface of an endpoint is not what discovery found.
        case identity
    }

    public init(
        kind: Kind, endpoint: PartyNamed? = nil, interface: String? = nil,
        packet: CounterexamplePacket? = nil, policy: PolicySide? = nil, place: String,
        reason: String
    ) {
        self.kind = kind
        self.endpoint = endpoint
        self.interface = interface
        self.packet = packet
        self.policy = policy
        self.place = place
        self.reason = reason
    }
}
