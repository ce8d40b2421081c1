internal import NetTypes

/// What is fixed about the packets of a run: their family, their way, and what connection tracking
/// says of them.
struct Scenario: Hashable {
    let family: AddressFamily
    let way: CounterexamplePacket.PacketDirection
    let flow: Flow

    enum Flow: Hashable {
        /// The first packet of a flow; one that a helper announced may have its announcer's mark.
        case first
        /// A packet of a flow of which an earlier packet passed.
        case known(reply: Bool)
        /// An error message about such a flow.
        case error(reply: Bool)
        /// No flow: invalid or not tracked.
        case none
    }

    var isReply: Bool {
        switch flow {
        case .known(let reply), .error(let reply): reply
        case .first, .none: false
        }
    }

    var isError: Bool { if case .error = flow { true } else { false } }

    /// Whether the endpoint was called; what connection tracking calls the original direction goes
    /// towards who is called.
    var isCalled: Bool { (way == .incoming) != isReply }

    /// NF_CT_STATE_BIT of the packet's `ctinfo`: linux/netfilter/nf_conntrack_common.h.
    var states: [UInt32] {
        switch flow {
        case .first: [StateBit.new, StateBit.related]
        case .known(let reply):
            // A later packet of a flow that a helper announced stays related until there is an answer
            // (`resolve_normal_ct` in net/netfilter/nf_conntrack_core.c).
            reply
                ? [StateBit.established]
                : [StateBit.established, StateBit.new, StateBit.related]
        case .error: [StateBit.related]
        case .none: [StateBit.invalid, StateBit.untracked]
        }
    }

    var addressWidth: Int { family == .v4 ? 4 : 16 }

    /// The family's own ICMP.
    var icmp: UInt8 { family == .v4 ? 1 : 58 }
    var otherICMP: UInt8 { family == .v4 ? 58 : 1 }
}

/// Bits of `ct state`.
enum StateBit {
    static let invalid: UInt32 = 1
    static let established: UInt32 = 2
    static let related: UInt32 = 4
    static let new: UInt32 = 8
    static let untracked: UInt32 = 64
}

/// Bits of `ct status`: IPS_* of linux/netfilter/nf_conntrack_common.h.
enum StatusBit {
    static let seenReply: UInt32 = 1 << 1
    static let assured: UInt32 = 1 << 2
    static let confirmed: UInt32 = 1 << 3
    static let sourceTranslated: UInt32 = 1 << 4
    static let destinationTranslated: UInt32 = 1 << 5
}
