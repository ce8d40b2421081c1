internal import NetTypes
internal import Policy

/// What the policies and the design say to some packets.
struct Expectation {
    let passes: Bool
    let rule: Rule?
    let reason: String

    static func passes(_ reason: String) -> Expectation {
        Expectation(passes: true, rule: nil, reason: reason)
    }

    static func refused(_ reason: String) -> Expectation {
        Expectation(passes: false, rule: nil, reason: reason)
    }

    static func admitted(_ rule: Rule) -> Expectation {
        Expectation(passes: true, rule: rule, reason: "the rule admits it")
    }

    /// Each packet is admitted by some rule.
    static let someRule = Expectation.passes("a rule admits it")

    static let noRule = Expectation.refused("no rule admits it")

    var side: PolicySide {
        PolicySide(passes: passes, rule: rule.map { RuleReference($0) }, reason: reason)
    }
}

/// Some of a leaf's packets, and what is said to them.
struct Expected {
    let space: Space
    let expectation: Expectation
}

/// Messages that a node has to hear or say whatever the policies are: docs/design.md.
struct ControlMessage {
    let types: ClosedRange<UInt128>
    let hopLimit: UInt128
    var ipProtocol: UInt128 = 58
    /// Where they go; nil where that isn't asked.
    var destinations: ClosedRange<UInt128>?

    /// IGMP to groups of the link; types as in RFC 2236 and RFC 3376.
    static func membership(_ types: ClosedRange<UInt128>) -> ControlMessage {
        ControlMessage(
            types: types, hopLimit: 1, ipProtocol: 2, destinations: 0xe000_0000...0xefff_ffff)
    }

    /// Queries for groups of IPv4.
    static let queries4 = [membership(0x11...0x11)]
    /// Reports of groups of IPv4, and leaves.
    static let reports4 = [
        membership(0x12...0x12), membership(0x16...0x17), membership(0x22...0x22),
    ]
    /// Those that may come from 0.0.0.0.
    static let reportsFromNowhere4 = [membership(0x22...0x22)]

    /// Neighbours, routers, listener queries.
    static let heard = [
        ControlMessage(types: 134...136, hopLimit: 255),
        ControlMessage(types: 130...130, hopLimit: 1),
    ]
    /// Neighbours, the search for routers, listener reports.
    static let said = [
        ControlMessage(types: 135...136, hopLimit: 255),
        ControlMessage(types: 133...133, hopLimit: 255),
        ControlMessage(types: 131...132, hopLimit: 1),
        ControlMessage(types: 143...143, hopLimit: 1),
    ]
    /// What a node without an address says from ::.
    static let saidFromNowhere = [
        ControlMessage(types: 135...135, hopLimit: 255),
        ControlMessage(types: 133...133, hopLimit: 255),
        ControlMessage(types: 143...143, hopLimit: 1),
    ]
}
