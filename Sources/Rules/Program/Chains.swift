internal import NetTypes

/// The chains of the table. Their order of checks is the design; see docs/design.md.
extension Program {
    private static let register = Register(word: 0)

    static let input = Chain(
        name: "input", hook: .input,
        rules: [
            rule("own machine", .loopback(.inputInterface) + [.verdict(.accept)]),
            rule(
                "own address from outside",
                .isIPv4 + .source4 + [.member(of: SetName.own4, key: register, inverted: false)]
                    + [.verdict(.goTo(ownSource.name))]),
            rule(
                "own address from outside",
                .isIPv6 + .source6 + [.member(of: SetName.own6, key: register, inverted: false)]
                    + [.verdict(.goTo(ownSource.name))]),
            rule(
                "DHCP discovery",
                .isFromUnspecified4 + .isUDP4(from: 68, to: 67)
                    + [.verdict(.goTo(discoveryHeard.name))]),
            rule("flows of live rules", .isConfirmed + .followMark),
            rule("neighbours", .icmpv6(135...136, hopLimit: 255) + [.verdict(.accept)]),
            rule("routers", .icmpv6(134...134, hopLimit: 255) + [.verdict(.accept)]),
            rule("listener queries", .icmpv6(130...130, hopLimit: 1) + [.verdict(.accept)]),
            rule(
                "no flow",
                .ct(.state, has: Self.invalidOrUntracked) + [.verdict(.goTo(noFlow.name))]),
            rule("memberships", .isMembership + [.verdict(.goTo(membershipIn.name))]),
            rule(
                "DHCP answers",
                .isUDP4(from: 67, to: 68) + .isOriginalDirection
                    + [.verdict(.goTo(dhcpAnswers.name))]),
            rule(
                "DHCP answers",
                .isUDP6(from: 547, to: 546) + .isOriginalDirection
                    + [.verdict(.goTo(dhcpAnswers.name))]),
            rule("called", .isOriginalDirection + [.verdict(.goTo(judgeName(.ingress)))]),
            rule("calling", [.verdict(.goTo(judgeName(.egress)))]),
        ])

    static let output = Chain(
        name: "output", hook: .output,
        rules: [
            rule("own machine", .loopback(.outputInterface) + [.verdict(.accept)]),
            rule(
                "foreign source",
                .isIPv4 + .source4 + [.member(of: SetName.own4, key: register, inverted: true)]
                    + [.verdict(.goTo(unspecified4.name))]),
            rule(
                "foreign source",
                .isIPv6 + .source6 + [.member(of: SetName.own6, key: register, inverted: true)]
                    + [.verdict(.goTo(unspecified.name))]),
            rule("flows of live rules", .isConfirmed + .followMark),
            rule("neighbours", .icmpv6(135...136, hopLimit: 255) + [.verdict(.accept)]),
            rule("router wanted", .icmpv6(133...133, hopLimit: 255) + [.verdict(.accept)]),
            rule("listener reports", .icmpv6(131...132, hopLimit: 1) + [.verdict(.accept)]),
            rule("listener reports", .icmpv6(143...143, hopLimit: 1) + [.verdict(.accept)]),
            rule("no flow", .ct(.state, has: Self.invalidOrUntracked) + leads(to: .invalid)),
            rule("memberships", .isMembership + [.verdict(.goTo(membershipOut.name))]),
            rule(
                "DHCP search",
                .isUDP4(from: 68, to: 67) + .isOriginalDirection
                    + [.verdict(.goTo(dhcpSearch.name))]),
            rule(
                "DHCP search",
                .isUDP6(from: 546, to: 547) + .isOriginalDirection
                    + [.verdict(.goTo(dhcpSearch.name))]),
            rule("calling", .isOriginalDirection + [.verdict(.goTo(judgeName(.egress)))]),
            rule("called", [.verdict(.goTo(judgeName(.ingress)))]),
        ])

    static let forward = Chain(
        name: "forward", hook: .forward, rules: [rule("not a router", leads(to: .forwarded))])

    /// What DHCP servers say to the endpoint, by rules about that; all others are judged as calls.
    static let dhcpAnswers = dhcp(
        "dhcp_answers", .ingress, otherwise: [.verdict(.goTo(judgeName(.ingress)))])

    /// What the endpoint says to DHCP servers from an address of its own.
    static let dhcpSearch = dhcp(
        "dhcp_search", .egress, otherwise: [.verdict(.goTo(judgeName(.egress)))])

    /// The same from 0.0.0.0, which nothing else may come from (RFC 2131, 4.1).
    static let dhcpDiscovery = dhcp("dhcp_discovery", .egress, otherwise: leads(to: .spoofed))

    /// Hosts without an address look for a DHCP server, which is no attempt on those that hear it: without a rule it is
    /// dropped without a report.
    ///
    /// It has the tuple of the endpoint's own discovery, and so that flow; the mark of that says nothing here. The
    /// kernel delivers from 0.0.0.0 only what is sent to 255.255.255.255 (`ip_route_input_slow` in
    /// net/ipv4/route.c).
    static let discoveryHeard = Chain(
        name: "discovery_heard", hook: nil,
        rules: [
            rule("no class yet", [.load([0, 0, 0, 0], into: register)] + setMark),
            rule(
                "class", [.ct(.source4, .original, into: register)] + classify(SetName.peers4)),
            rule("rule", admission(.destinationPort, .original, SetName.admitIn, [])),
            rule(
                "rule",
                admission(
                    .destinationPort, .original, SetName.rangesIn, [.toNetworkOrder(register)])),
            rule("live rule", .followMark),
            rule("not called", [.counter, .verdict(.drop)]),
        ])

    /// Looks for a rule about DHCP, as `judge` does for all others.
    private static func dhcp(
        _ name: String, _ direction: Direction, otherwise: [Expression]
    ) -> Chain {
        let isIngress = direction == .ingress
        let side: Expression.CtDirection = isIngress ? .original : .reply
        let map = isIngress ? SetName.dhcpIn : SetName.dhcpOut
        return Chain(
            name: name, hook: nil,
            rules: [
                rule("flows of live rules", .isConfirmed + .followMark),
                rule("no class yet", [.load([0, 0, 0, 0], into: register)] + setMark),
                rule("class", [.ct(.source4, side, into: register)] + classify(SetName.peers4)),
                rule("class", [.ct(.source6, side, into: register)] + classify(SetName.peers6)),
                rule("rule", admission(.destinationPort, .original, map, [])),
                judgedAgain,
                rule("live rule", .followMark),
                rule("never admitted", otherwise),
            ])
    }

    /// Notes a confirmed flow that was found a rule.
    private static let judgedAgain = rule(
        "judged again",
        .isConfirmed + .ct(.mark, has: Mark.ruleBit)
            + [.ct(.mark, nil, into: register)]
            + [.add(to: SetName.rejudged, key: register)])

    /// IGMP is for IPv4 what listener discovery is for IPv6, but connection tracking tracks it.
    ///
    /// Types: 0x11 query, 0x12 and 0x16 reports of versions 1 and 2, 0x17 leave (RFC 2236), 0x22 report of version
    /// 3 (RFC 3376). Queries are heard. Reports are for routers, as in `noFlow`; an endpoint hears those of
    /// groups that it is a member of.
    static let membershipIn = Chain(
        name: "membership_in", hook: nil,
        rules: [rule("listener queries", .membership(0x11...0x11) + [.verdict(.accept)])]
            + reports("listener reports", [.counter, .verdict(.drop)])
            + [
                rule("called", .isOriginalDirection + [.verdict(.goTo(judgeName(.ingress)))]),
                rule("calling", [.verdict(.goTo(judgeName(.egress)))]),
            ])

    /// The same of what the endpoint sends: reports go out, queries are left to rules.
    static let membershipOut = Chain(
        name: "membership_out", hook: nil,
        rules: reports("listener reports", [.verdict(.accept)]) + [
            rule("calling", .isOriginalDirection + [.verdict(.goTo(judgeName(.egress)))]),
            rule("called", [.verdict(.goTo(judgeName(.ingress)))]),
        ])

    /// A rule for each run of types of IGMP reports and leaves.
    private static func reports(_ comment: String, _ then: [Expression]) -> [ConstantRule] {
        [0x12...0x12, 0x16...0x17, 0x22...0x22].map { rule(comment, .membership($0) + then) }
    }

    /// What a node without an IPv4 address may send from 0.0.0.0, as `unspecified` for IPv6: reports of version 3
    /// (RFC 3376, 4.2.13).
    static let unspecified4 = Chain(
        name: "no_address4", hook: nil,
        rules: [
            rule(
                "listener reports",
                .isFromUnspecified4 + .membership(0x22...0x22) + [.verdict(.accept)]),
            rule(
                "DHCP discovery",
                .isUDP4(from: 68, to: 67) + .isFromUnspecified4 + .isToBroadcast
                    + .isOriginalDirection + [.verdict(.goTo(dhcpDiscovery.name))]),
            rule("foreign source", .isFromProgram + leads(to: .spoofed)),
        ] + reports("new address", [.counter, .verdict(.drop)])
            + [rule("foreign source", leads(to: .spoofed))])

    /// Drops what comes in under the endpoint's own address: as refused, unless it is the sender's own
    /// copy of a multicast or broadcast.
    static let ownSource = Chain(
        name: "own_source", hook: nil,
        rules: [
            rule("own address from outside", .isFromOtherDevice + leads(to: .ownOutside)),
            rule("own address from outside", .hasLinkHeader + leads(to: .ownOutside)),
            rule("own copy", [.counter, .verdict(.drop)]),
        ])

    /// Drops what comes in without a flow.
    ///
    /// It is invalid, unless it is what neighbours say to routers (RFC 4861, RFC 3810). An endpoint hears that
    /// when it listens as a router; it is an attempt on no endpoint.
    static let noFlow = Chain(
        name: "no_flow", hook: nil,
        rules: [
            rule("router wanted", .icmpv6(133...133, hopLimit: 255) + [.counter, .verdict(.drop)]),
            rule(
                "listener reports", .icmpv6(131...132, hopLimit: 1) + [.counter, .verdict(.drop)]),
            rule(
                "listener reports", .icmpv6(143...143, hopLimit: 1) + [.counter, .verdict(.drop)]),
            rule("no flow", leads(to: .invalid)),
        ])

    /// What a node without an address yet may send from ::, and nothing else.
    ///
    /// The kernel itself solicits routers and neighbours and reports groups from an address of which the
    /// agent hears a moment later. That is dropped without blame; the kernel repeats it.
    static let unspecified = Chain(
        name: "no_address", hook: nil,
        rules: [
            rule(
                "duplicate address detection",
                .isFromUnspecified6 + .icmpv6(135...135, hopLimit: 255) + [.verdict(.accept)]),
            rule(
                "router wanted",
                .isFromUnspecified6 + .icmpv6(133...133, hopLimit: 255) + [.verdict(.accept)]),
            rule(
                "listener reports",
                .isFromUnspecified6 + .icmpv6(143...143, hopLimit: 1) + [.verdict(.accept)]),
            rule("foreign source", .isFromProgram + leads(to: .spoofed)),
            rule("new address", .icmpv6(135...136, hopLimit: 255) + [.counter, .verdict(.drop)]),
            rule("new address", .icmpv6(133...133, hopLimit: 255) + [.counter, .verdict(.drop)]),
            rule("new address", .icmpv6(131...132, hopLimit: 1) + [.counter, .verdict(.drop)]),
            rule("new address", .icmpv6(143...143, hopLimit: 1) + [.counter, .verdict(.drop)]),
            rule("foreign source", leads(to: .spoofed)),
        ])

    /// Finds the rule that admits the flow and lets the flow carry it.
    ///
    /// The peer's address is the one on the wire: what the endpoint's own NAT made of a call that
    /// goes out, what came in otherwise. The class waits in the mark between the lookups; once it has
    /// made place for a rule, the map of ranges has nothing for it.
    static func judge(_ direction: Direction) -> Chain {
        let isIngress = direction == .ingress
        let side: Expression.CtDirection = isIngress ? .original : .reply
        // Ranges are compared byte by byte; the mark's own order is what `nft` shows of a single port.
        let maps: [(name: String, order: [Expression])] = [
            (isIngress ? SetName.admitIn : SetName.admitOut, []),
            (isIngress ? SetName.rangesIn : SetName.rangesOut, [.toNetworkOrder(register)]),
        ]
        let same = [Expression].ct(.status, has: destinationChanged, false)
        let changed = [Expression].ct(.status, has: destinationChanged)
        return Chain(
            name: judgeName(direction), hook: nil,
            rules: [
                rule("no class yet", [.load([0, 0, 0, 0], into: register)] + setMark),
                rule("class", [.ct(.source4, side, into: register)] + classify(SetName.peers4)),
                rule("class", [.ct(.source6, side, into: register)] + classify(SetName.peers6)),
            ]
                + maps.flatMap { map, order in
                    let called = admission(.destinationPort, .original, map, order)
                    let behindNAT = admission(.sourcePort, .reply, map, order)
                    return isIngress
                        ? [rule("rule", called)]
                        : [
                            rule("rule", same + called),
                            rule("rule behind own NAT", changed + behindNAT),
                        ]
                }
                + [
                    judgedAgain,
                    rule("live rule", .followMark),
                    rule("admitted once", .isConfirmed + leads(to: .revoked)),
                    rule("never admitted", leads(to: .refused)),
                ])
    }

    /// Counts, drops, keeps the flow, and logs its first packet once it is kept: who hears the log
    /// finds the flow in the set.
    ///
    /// A packet that finds its flow in the set costs one lookup. The last rule is reached by what
    /// has no ports to read, and by everything once a set is full.
    static func refusal(_ reason: Refusal) -> Chain {
        let drop = Expression.verdict(.drop)
        let log = Expression.log(
            prefix: reason.logPrefix, group: Refusal.logGroup, snapLength: 128, queueThreshold: 1)
        let keys = reason.keys
        let known = keys.map { digit, key in
            rule(
                "known",
                key + [.member(of: reason.setName(digit), key: register, inverted: false), drop])
        }
        let new = keys.map { digit, key in
            rule("first packet", key + [.add(to: reason.setName(digit), key: register), log, drop])
        }
        return Chain(
            name: reason.rawValue, hook: nil,
            rules: [rule("all", [.counter])] + known + new + [rule("not kept", [.counter, drop])])
    }

    private static func judgeName(_ direction: Direction) -> String {
        direction == .ingress ? "judge_in" : "judge_out"
    }

    /// IPS_DST_NAT of linux/netfilter/nf_conntrack_common.h.
    private static let destinationChanged: UInt32 = 1 << 5

    /// NF_CT_STATE_INVALID_BIT and NF_CT_STATE_UNTRACKED_BIT of the same header.
    private static let invalidOrUntracked: UInt32 = 1 << 0 | 1 << 6

    private static let setMark: [Expression] = [.setCtMark(from: register)]

    private static func classify(_ peers: String) -> [Expression] {
        [.map(peers, key: register, into: register)] + setMark
    }

    private static func admission(
        _ port: Expression.CtKey, _ side: Expression.CtDirection, _ map: String,
        _ order: [Expression]
    ) -> [Expression] {
        [.ct(.mark, nil, into: register)] + order + [
            .ct(.ipProtocol, nil, into: Register(word: 1)),
            .ct(port, side, into: Register(word: 2)),
            .map(map, key: register, into: register),
        ] + setMark
    }

    private static func leads(to reason: Refusal) -> [Expression] {
        [.verdict(.goTo(reason.rawValue))]
    }

    private static func rule(_ comment: String, _ expressions: [Expression]) -> ConstantRule {
        ConstantRule(comment: comment, expressions: expressions)
    }
}

extension Refusal {
    /// By the version of IP, the keys that a packet of the reason is looked up by; the first one whose
    /// expressions match is its.
    fileprivate var keys: [(digit: Int, key: [Expression])] {
        [4, 6].flatMap { digit in
            hasFlow
                ? [(digit, [Expression].flowKey(digit))]
                : [
                    (digit, [Expression].packetKey(digit, .other)),
                    (digit, [Expression].packetKey(digit, .ports)),
                ]
        }
    }
}
