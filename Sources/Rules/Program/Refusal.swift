/// Why a packet was refused by the endpoint's table; each reason has a chain and two sets.
public enum Refusal: String, Hashable, Sendable, CaseIterable, Codable {
    /// No live rule admits the flow.
    case refused
    /// The flow was admitted once, and no live rule admits it any more.
    case revoked
    /// The endpoint sent a packet whose source address isn't one of its own.
    case spoofed
    /// A packet that came in has one of the endpoint's own addresses as its source.
    case ownOutside = "own_outside"
    /// Conntrack can't say which flow it belongs to.
    case invalid
    /// The packet was to pass through the endpoint.
    case forwarded

    public static let logGroup: UInt16 = 0x5246

    /// What the kernel's log message starts with.
    public var logPrefix: String { "ringfence \(rawValue) " }

    /// The set of its flows in one family: `refused4` and so on.
    public func setName(_ digit: Int) -> String { "\(rawValue)\(digit)" }

    /// How many flows are told apart until the agent has read them.
    ///
    /// The kernel makes hash tables of that size at once: at 4,096, clearing them took a sixth of
    /// the time of a first start.
    var capacity: UInt32 { hasFlow ? 1024 : 256 }

    /// Whether the flow's tuple is known; else the packet's own header is all there is.
    var hasFlow: Bool { self == .refused || self == .revoked }
}
