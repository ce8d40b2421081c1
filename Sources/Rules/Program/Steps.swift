internal import NetTypes

/// Runs of expressions that the constant rules are made of.
extension [Expression] {
    private static let first = Register(word: 0)

    static let isIPv4: Self = [
        .meta(.netfilterProtocol, into: first), .compare(.equal, first, [2]),
    ]

    static let isIPv6: Self = [
        .meta(.netfilterProtocol, into: first), .compare(.equal, first, [10]),
    ]

    /// The loopback device has index 1 in every namespace (LOOPBACK_IFINDEX of net/flow.h).
    static func loopback(_ key: Expression.MetaKey) -> Self {
        [.meta(key, into: first), .compare(.equal, first, 1.hostBytes)]
    }

    static let source4: Self = [.payload(.network, offset: 12, length: 4, into: first)]

    static let source6: Self = [.payload(.network, offset: 8, length: 16, into: first)]

    static let isFromUnspecified6: Self =
        isIPv6 + source6 + [.compare(.equal, first, [UInt8](repeating: 0, count: 16))]

    /// ICMPv6 of these types with that hop limit: 255 for neighbour discovery (RFC 4861), 1 for
    /// listener discovery (RFC 3810).
    static func icmpv6(_ types: ClosedRange<UInt8>, hopLimit: UInt8) -> Self {
        let type: Self =
            types.count == 1
            ? [.compare(.equal, first, [types.lowerBound])]
            : [
                .compare(.atLeast, first, [types.lowerBound]),
                .compare(.atMost, first, [types.upperBound]),
            ]
        return isIPv6 + [.payload(.network, offset: 7, length: 1, into: first)]
            + [.compare(.equal, first, [hopLimit])]
            + [.meta(.layer4Protocol, into: first), .compare(.equal, first, [58])]
            + [.payload(.transport, offset: 0, length: 1, into: first)] + type
    }

    /// IGMP to a group of the link: RFC 2236, 2 and RFC 3376, 4.
    ///
    /// Reports, leaves and queries have a TTL of 1 and go to groups. A rule speaks of everything else of the
    /// protocol.
    static let isMembership: Self =
        isIPv4 + [.meta(.layer4Protocol, into: first), .compare(.equal, first, [2])]
        + [.payload(.network, offset: 8, length: 1, into: first)]
        + [.compare(.equal, first, [1])]
        + [.payload(.network, offset: 16, length: 4, into: first)]
        + [
            .compare(.atLeast, first, [224, 0, 0, 0]),
            .compare(.atMost, first, [239, 255, 255, 255]),
        ]

    /// `isMembership` of these types.
    static func membership(_ types: ClosedRange<UInt8>) -> Self {
        let type: Self =
            types.count == 1
            ? [.compare(.equal, first, [types.lowerBound])]
            : [
                .compare(.atLeast, first, [types.lowerBound]),
                .compare(.atMost, first, [types.upperBound]),
            ]
        return isMembership + [.payload(.transport, offset: 0, length: 1, into: first)] + type
    }

    static let isFromUnspecified4: Self =
        isIPv4 + source4 + [.compare(.equal, first, [0, 0, 0, 0])]

    static let isToBroadcast: Self = [
        .payload(.network, offset: 16, length: 4, into: first),
        .compare(.equal, first, [255, 255, 255, 255]),
    ]

    /// UDP of IPv4 between these ports.
    static func isUDP4(from: UInt16, to: UInt16) -> Self { isUDP(from, to) + isIPv4 }

    /// The same of IPv6.
    static func isUDP6(from: UInt16, to: UInt16) -> Self { isUDP(from, to) + isIPv6 }

    private static func isUDP(_ source: UInt16, _ destination: UInt16) -> Self {
        [
            .meta(.layer4Protocol, into: first), .compare(.equal, first, [17]),
            .payload(.transport, offset: 0, length: 2, into: first),
            .compare(.equal, first, source.networkBytes),
            .payload(.transport, offset: 2, length: 2, into: first),
            .compare(.equal, first, destination.networkBytes),
        ]
    }

    /// Whether a bit of a conntrack number is set.
    static func ct(_ key: Expression.CtKey, has bits: UInt32, _ wanted: Bool = true) -> Self {
        [
            .ct(key, nil, into: first), .mask(first, with: bits.hostBytes),
            .compare(wanted ? .notEqual : .equal, first, UInt32(0).hostBytes),
        ]
    }

    /// IPS_CONFIRMED of linux/netfilter/nf_conntrack_common.h: an earlier packet of the flow passed.
    static let isConfirmed = ct(.status, has: 1 << 3)

    static let isOriginalDirection: Self = [
        .ct(.direction, nil, into: first), .compare(.equal, first, [0]),
    ]

    /// The verdict of the rule whose mark the flow carries, if that rule is live.
    static let followMark: Self = [
        .ct(.mark, nil, into: first), .map(Program.SetName.rules, key: first, into: nil),
    ]

    /// The flow's addresses, protocol and ports in its original direction.
    static func flowKey(_ digit: Int) -> Self {
        let isV4 = digit == 4
        let words: UInt32 = isV4 ? 1 : 4
        return [
            .ct(isV4 ? .source4 : .source6, .original, into: first),
            .ct(isV4 ? .destination4 : .destination6, .original, into: Register(word: words)),
            .ct(.ipProtocol, nil, into: Register(word: 2 * words)),
            .ct(.sourcePort, .original, into: Register(word: 2 * words + 1)),
            .ct(.destinationPort, .original, into: Register(word: 2 * words + 2)),
        ]
    }

    /// What the transport header of a packet has in its first four bytes.
    enum TransportStart {
        /// Source port and destination port: TCP, UDP, SCTP.
        case ports
        /// Type and code (ICMP), or the start of the header of a protocol without ports. What follows
        /// differs from packet to packet: the checksum of ICMP stands there.
        case other

        /// Where the part that takes the place of the destination port starts.
        fileprivate var offset: UInt32 { self == .ports ? 2 : 0 }
    }

    /// The packet's own addresses, protocol and ports, for packets whose flow is not known.
    ///
    /// - Parameters:
    ///   - digit: 4 or 6, the version of IP.
    ///   - start: Which packets match, and what stands for their ports. `.ports` matches all, so it comes
    ///     behind `.other`, which leaves out the protocols with ports. Both keys have two ports: `.other`
    ///     has the first 16 bits of the transport header twice, since nftables compares whole keys.
    /// - Returns: Expressions that put the key into the registers from the first one on.
    static func packetKey(_ digit: Int, _ start: TransportStart) -> Self {
        let isV4 = digit == 4
        let words: UInt32 = isV4 ? 1 : 4
        let (offset, length): (UInt32, UInt32) = isV4 ? (12, 4) : (8, 16)
        return (isV4 ? isIPv4 : isIPv6) + (start == .ports ? [] : hasNoPorts) + [
            .payload(.network, offset: offset, length: length, into: first),
            .payload(
                .network, offset: offset + length, length: length, into: Register(word: words)),
            .meta(.layer4Protocol, into: Register(word: 2 * words)),
            .payload(.transport, offset: 0, length: 2, into: Register(word: 2 * words + 1)),
            .payload(
                .transport, offset: start.offset, length: 2, into: Register(word: 2 * words + 2)),
        ]
    }

    private static let hasNoPorts: Self = [UInt8]([6, 17, 132]).flatMap {
        [.meta(.layer4Protocol, into: first), .compare(.notEqual, first, [$0])]
    }

    /// The input device is no Ethernet device (ARPHRD_ETHER of linux/if_arp.h).
    static let isFromOtherDevice: Self = [
        .meta(.inputDeviceType, into: first), .compare(.notEqual, first, [1, 0]),
    ]

    /// An Ethernet header is in front of the IP header.
    ///
    /// It is there on whatever an Ethernet device received. It is not on the copy of a multicast or
    /// broadcast that the kernel gives back to the sender (`dev_loopback_xmit` in net/core/dev.c): then
    /// `nft_payload_eval` finds no link-layer header, and the rule doesn't match. No IP packet has the
    /// ethertype 0.
    static let hasLinkHeader: Self = [
        .payload(.link, offset: 12, length: 2, into: first), .compare(.notEqual, first, [0, 0]),
    ]

    /// A socket of a program sent the packet.
    ///
    /// The kernel's own sockets have no file, and so no user. No user has the number 2^32 - 1.
    static let isFromProgram: Self = [
        .meta(.socketUser, into: first),
        .compare(.notEqual, first, UInt32.max.hostBytes),
    ]
}

extension UInt32 {
    /// nftables compares registers in host byte order unless they came from a packet.
    var hostBytes: [UInt8] { Array(networkBytes.reversed()) }
}

extension Int {
    fileprivate var hostBytes: [UInt8] { UInt32(self).hostBytes }
}
