import NetTypes

/// One thing that keeps a rule from admitting a flow.
enum Lack: Hashable {
    case port(UInt16, allowed: String)
    /// The question names no port, and the rule doesn't admit all.
    case anyPort(allowed: String)
    case message(ICMPMessage, allowed: String)
    case ipProtocol(IPProtocol, allowed: IPProtocol)
    /// The rule admits the flow's way back.
    case turned(from: String, to: String)
    /// The rule means the endpoint, but by address, which opens only the other end.
    case closedHere(Direction, of: String, by: Peer)
    case endpointLabel(Side, String)
    case tenantLabel(String, String)
    case excepted(IPAddress, Prefix)
    /// Who is asked about has no known address, and the rule speaks of addresses.
    case addressUnknown(String, Prefix)
    case outside(IPAddress, Prefix)
    case otherParty(Side, String, named: String)
    case expired(Timestamp)

    /// The ends of a flow, as the words in messages.
    enum Side: String {
        case source
        case destination

        /// The key of a rule that holds the side's peers.
        var key: String { self == .source ? "from" : "to" }
    }

    /// How far the rule is from admitting the flow; rules are compared by the sum.
    var distance: Int {
        switch self {
        case .expired: 1
        case .port, .message, .anyPort: 2
        case .closedHere: 4
        case .endpointLabel, .excepted, .addressUnknown: 6
        case .ipProtocol: 8
        case .turned: 10
        case .tenantLabel: 12
        case .outside: 16
        case .otherParty: 20
        }
    }

    /// Whether the rule speaks of somebody else, which a tenant's own settings can't change.
    var isOtherParty: Bool {
        if case .otherParty = self { true } else { false }
    }

    /// The greatest sum of a rule that is worth showing: one wrong party and a wrong protocol,
    /// expired as well.
    static let farthest = 29
}

extension Lack: CustomStringConvertible {
    var description: String {
        switch self {
        case .port(let port, let allowed): "port \(port) is not among \(allowed)"
        case .anyPort(let allowed): "not every port is allowed, only \(allowed)"
        case .message(let message, let allowed): "message \(message) is not among \(allowed)"
        case .ipProtocol(let found, let allowed): "protocol \(found); the rule allows \(allowed)"
        case .turned(let from, let to):
            "the rule goes from \(from) to \(to); the flow went the other way"
        case .closedHere(let direction, let name, _):
            "only \(direction.reversed) is open here: no rule opens the \(direction) of \(name)"
        case .endpointLabel(let side, let label): "\(side) endpoint lacks label \(label)"
        case .tenantLabel(let tenant, let label): "tenant \(tenant) lacks \(label)"
        case .excepted(let address, let prefix): "address \(address) is in the except \(prefix)"
        case .addressUnknown(let name, let prefix):
            "whether \(name) lies in \(prefix) depends on its address"
        case .outside(let address, let prefix): "address \(address) is outside \(prefix)"
        case .otherParty(let side, let found, let named):
            "the \(side) is \(found); the rule names \(named)"
        case .expired(let moment): "the policy expired at \(moment)"
        }
    }

    /// What to write so that the lack goes away.
    var fix: String {
        switch self {
        case .port(let port, _): "add port \(port) to the rule"
        case .anyPort: "ask about one port, or let the rule name none"
        case .message(let message, _): "add message \(message) to the rule"
        case .ipProtocol(let found, _): "add a rule that allows \(found)"
        case .turned(let from, let to): "add a rule from \(to) to \(from)"
        case .closedHere(let direction, let name, let peer):
            "name tenant \(name) beside \(peer) in "
                + "'\((direction == .egress ? Side.source : .destination).key)'"
        case .endpointLabel(_, let label):
            "make the endpoint fulfil \(label), or widen the rule's endpoint labels"
        case .tenantLabel(let tenant, let label):
            "make tenant \(tenant) fulfil \(label), or name it in the rule"
        case .excepted(_, let prefix): "take \(prefix) out of the rule's except"
        case .addressUnknown(let name, _): "ask with an address instead of \(name)"
        case .outside(let address, let prefix):
            "add \(Prefix(containing: address, length: 128)) to the rule beside \(prefix)"
        case .otherParty(let side, let found, _): "add \(found) to '\(side.key)' of the rule"
        case .expired: "set 'expires' of the policy to a later time"
        }
    }
}
