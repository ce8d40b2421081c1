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
    case closedHere(Direction, of: String)
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

    /// Whether the rule admits the flow's way back.
    var isTurned: Bool {
        if case .turned = self { true } else { false }
    }

    /// Whether only the service is missing, which opens more to everybody whom the rule names.
    var isService: Bool {
        switch self {
        case .port, .message: true
        default: false
        }
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
        case .closedHere(let direction, let name):
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

    /// What to do about the lack alone; nil where the flow needs a policy of its own, since what would make
    /// the rule mean it would make it mean others as well.
    var fix: String? {
        switch self {
        case .port(let port, _): "add port \(port) to the rule"
        case .anyPort: "ask about one port"
        case .message(let message, _): "add message \(message) to the rule"
        case .turned(let from, let to):
            "let \(from) call \(to): the answers to its calls pass by themselves"
        case .addressUnknown(let name, _): "ask with an address instead of \(name)"
        case .expired: "set 'expires' of the policy to a later time"
        case .ipProtocol, .closedHere, .endpointLabel, .tenantLabel, .excepted, .outside,
            .otherParty:
            nil
        }
    }
}
