import HostFilter
import NetTypes
import Testing

/// Each branch of the programs, by BPF_PROG_TEST_RUN.
@Suite(.serialized) struct ProgramTests {
    private let syn: UInt8 = 2, ack: UInt8 = 16, synAck: UInt8 = 18, rst: UInt8 = 4

    private static let families: [AddressFamily] = [.v4, .v6]

    @Test(arguments: families)
    func `a connection both ways, and nothing beside it`(_ family: AddressFamily) throws {
        let bench = try TestBench()
        func out(_ flags: UInt8, _ port: UInt16 = 80) throws -> HostRefusal? {
            try bench.refusal(
                of: Frame.ip(.egress, family, 6, Frame.tcp(1000, port, flags)), .egress)
        }
        func back(_ flags: UInt8, _ port: UInt16 = 80) throws -> HostRefusal? {
            try bench.refusal(
                of: Frame.ip(.ingress, family, 6, Frame.tcp(port, 1000, flags)), .ingress)
        }
        #expect(try back(synAck) == .invalid)
        #expect(try back(ack) == .refused)
        #expect(try out(syn, 81) == .refused)
        #expect(try out(syn) == nil)
        #expect(try back(synAck) == nil)
        #expect(try out(ack) == nil)
        #expect(try back(ack, 81) == .refused)
        // The one who answers may not open anything on the same ports.
        #expect(try back(syn) == .refused)
        #expect(try back(ack) == nil)
        try bench.revoke()
        #expect(try out(ack) == .revoked)
        #expect(try back(ack) == .revoked)
        #expect(try out(syn) == .refused)
    }

    @Test(arguments: families)
    func `answers come from who was called`(_ family: AddressFamily) throws {
        let bench = try TestBench()
        let call = Frame.ip(.egress, family, 6, Frame.tcp(1000, 80, syn))
        let answer = Frame.ip(.ingress, family, 6, Frame.tcp(80, 1000, synAck))
        #expect(try bench.refusal(of: call, .egress) == nil)
        // A local address without its endpoint's mark.
        #expect(try bench.refusal(of: answer, .ingress, mark: 0) == .invalid)
        #expect(try bench.refusal(of: answer, .ingress) == nil)
        let other = bench.filter.mark(ofSender: 3)
        #expect(try bench.refusal(of: answer, .ingress, mark: other) == .invalid)
        let open = Frame.ip(.ingress, family, 6, Frame.tcp(5, 443, syn))
        #expect(try bench.refusal(of: open, .ingress, mark: 0) == .identity)
        #expect(try bench.refusal(of: open, .ingress, mark: other) == .refused)
        #expect(try bench.refusal(of: open, .ingress) == nil)
    }

    @Test(arguments: families)
    func `sources that are not the endpoint's`(_ family: AddressFamily) throws {
        let bench = try TestBench()
        let foreign: IPAddress = family == .v4 ? .v4(0x0a00_0003) : .v6(UInt128(0xfd00) << 112 | 3)
        let spoofed = Frame.ip(.egress, family, 6, Frame.tcp(1, 80, syn), from: foreign)
        #expect(try bench.refusal(of: spoofed, .egress) == .spoofed)
        let link = Frame.ethernet(
            .egress, 0x0800, [UInt8](repeating: 0, count: 20), source: [2, 0, 0, 0, 0, 9])
        #expect(try bench.refusal(of: link, .egress) == .spoofedLinkAddress)
        let own = Frame.ip(
            .ingress, family, 6, Frame.tcp(1, 443, syn), from: Frame.own[family == .v4 ? 0 : 1])
        #expect(try bench.refusal(of: own, .ingress) == .spoofed)
        let forwarded = Frame.ip(.ingress, family, 6, Frame.tcp(1, 443, syn), to: foreign)
        #expect(try bench.refusal(of: forwarded, .ingress) == .forwarded)
    }

    @Test func `frames of other kinds`() throws {
        let bench = try TestBench()
        for (type, refusal) in [
            (0x88b5, HostRefusal.etherType), (0x8847, .etherType), (0x8863, .etherType),
            (0x0100, .etherType), (0x8100, .vlan), (0x88a8, .vlan),
        ] {
            let payload = [UInt8](repeating: 0, count: 46)
            for direction in [Direction.egress, .ingress] {
                let frame = Frame.ethernet(direction, UInt16(type), payload)
                #expect(try bench.refusal(of: frame, direction) == refusal)
            }
        }
    }

    @Test func `what a bridge gives to everybody is nobody's attempt`() throws {
        let bench = try TestBench()
        let stranger: [UInt8] = [2, 0, 0, 0, 0, 9]
        for payload in [
            Frame.ip(.ingress, .v4, 17, Frame.udp(1, 53)),
            Frame.ip(.ingress, .v6, 6, Frame.tcp(1, 443, syn)),
        ] {
            let flooded = stranger + payload.dropFirst(6)
            #expect(try bench.overhearing(flooded) == .flooded)
            #expect(try bench.overhearing(flooded, mark: 0) == .flooded)
        }
        // A report of who listens to which group, and a question for routers.
        for (type, group) in [
            (UInt8(143), UInt128(0xff02) << 112 | 0x16), (133, UInt128(0xff02) << 112 | 2),
        ] {
            let message = Frame.ip(
                .ingress, .v6, 58, Frame.icmp(type) + [0, 0, 0, 0], to: .v6(group), hops: 255)
            #expect(try bench.overhearing(message) == .multicast)
        }
        // To the endpoint alone the same is an attempt.
        let direct = Frame.ip(.ingress, .v6, 58, Frame.icmp(143) + [0, 0, 0, 0], hops: 1)
        #expect(try bench.refusal(of: direct, .ingress) == .invalid)
        try bench.forget()
        #expect(try bench.filter.overheard(by: bench.endpoint) == [:])
    }

    @Test func `ARP speaks for the endpoint alone`() throws {
        let bench = try TestBench()
        func judge(_ operation: UInt16, _ link: [UInt8], _ sender: IPAddress) throws -> HostRefusal?
        {
            try bench.refusal(
                of: Frame.ethernet(.egress, 0x0806, Frame.arp(operation, link: link, sender)),
                .egress)
        }
        #expect(try judge(1, Frame.ownLink, Frame.own[0]) == nil)
        #expect(try judge(2, Frame.ownLink, Frame.own[0]) == nil)
        #expect(try judge(1, Frame.ownLink, .v4(0)) == .arp)
        #expect(try judge(2, Frame.ownLink, .v4(0)) == .arp)
        #expect(try judge(2, Frame.ownLink, Frame.peers[0]) == .arp)
        #expect(try judge(2, Frame.peerLink, Frame.own[0]) == .arp)
        #expect(try judge(3, Frame.ownLink, Frame.own[0]) == .arp)
        let short = Frame.ethernet(.egress, 0x0806, [0, 1, 8, 0])
        #expect(try bench.refusal(of: short, .egress) == .malformed)
    }

    @Test func `neighbour discovery speaks for the endpoint alone`() throws {
        let bench = try TestBench()
        func judge(
            _ type: UInt8, target: IPAddress, option: [UInt8], hops: UInt8 = 255,
            from source: IPAddress = Frame.own[1]
        ) throws -> HostRefusal? {
            let message = Frame.icmp(type, 0, [0, 0, 0, 0]) + target.bytes + option
            let destination = type == 135 ? Frame.solicitedGroup(of: target) : nil
            return try bench.refusal(
                of: Frame.ip(
                    .egress, .v6, 58, message, from: source, to: destination, hops: hops),
                .egress)
        }
        let mine: [UInt8] = [2, 1] + Frame.ownLink
        let lie: [UInt8] = [2, 1] + Frame.peerLink
        #expect(try judge(136, target: Frame.own[1], option: mine) == nil)
        #expect(try judge(136, target: Frame.own[1], option: []) == nil)
        #expect(try judge(136, target: Frame.own[1], option: lie) == .neighbourDiscovery)
        #expect(try judge(136, target: Frame.peers[1], option: mine) == .neighbourDiscovery)
        #expect(try judge(136, target: Frame.own[1], option: mine, hops: 64) == .neighbourDiscovery)
        #expect(
            try judge(136, target: Frame.own[1], option: [2, 0, 0, 0, 0, 0, 0, 0])
                == .neighbourDiscovery)
        #expect(try judge(135, target: Frame.peers[1], option: [1, 1] + Frame.ownLink) == nil)
        #expect(try judge(135, target: Frame.peers[1], option: [1, 1] + Frame.peerLink) != nil)
        #expect(try judge(135, target: Frame.own[1], option: [], from: .v6(0)) == nil)
        #expect(
            try judge(135, target: Frame.peers[1], option: [], from: .v6(0)) == .neighbourDiscovery)
        #expect(try judge(136, target: Frame.own[1], option: [], from: .v6(0)) != nil)
        #expect(try judge(134, target: Frame.own[1], option: []) == .router)
        #expect(try judge(137, target: Frame.own[1], option: []) == .router)
        #expect(try judge(130, target: Frame.own[1], option: []) == .invalid)
        #expect(
            try judge(136, target: Frame.own[1], option: mine, from: Frame.peers[1]) == .spoofed)
        let advertisement = Frame.ip(
            .ingress, .v6, 58, Frame.icmp(134) + [UInt8](repeating: 0, count: 8), hops: 255)
        #expect(try bench.refusal(of: advertisement, .ingress) == .router)
        #expect(try bench.refusal(of: advertisement, .ingress, mark: 0) == nil)
    }

    @Test func `services that no endpoint gives`() throws {
        let bench = try TestBench()
        let v4 = Frame.ip(.egress, .v4, 17, Frame.udp(67, 68))
        #expect(try bench.refusal(of: v4, .egress) == .dhcpServer)
        let v6 = Frame.ip(.egress, .v6, 17, Frame.udp(547, 546))
        #expect(try bench.refusal(of: v6, .egress) == .dhcpServer)
        let redirect = Frame.ip(
            .egress, .v4, 1, Frame.icmp(5) + [UInt8](repeating: 0, count: 28))
        #expect(try bench.refusal(of: redirect, .egress) == .router)
    }

    @Test func `headers that contradict themselves`() throws {
        let bench = try TestBench()
        let tcp = Frame.tcp(1, 80, syn)
        var wrongVersion = Frame.ip(.egress, .v4, 6, tcp)
        wrongVersion[14] = 0x65
        var shortHeader = Frame.ip(.egress, .v4, 6, tcp)
        shortHeader[14] = 0x44
        var longOffset = Frame.ip(.egress, .v4, 6, tcp)
        longOffset[14 + 20 + 12] = 0xf0
        let mapped: IPAddress = .v6(UInt128(0xffff) << 32 | 0x0a00_0001)
        for frame in [
            wrongVersion, shortHeader, longOffset,
            Frame.ip(.egress, .v4, 6, tcp, length: 19), Frame.ip(.egress, .v4, 6, tcp, length: 60),
            Frame.ip(.egress, .v4, 6, Array(tcp.prefix(13))),
            Frame.ip(.egress, .v4, 17, Frame.udp(1, 2, length: 7)),
            Frame.ip(.egress, .v4, 17, Frame.udp(1, 2, length: 13)),
            Frame.ip(.egress, .v4, 17, [0, 1, 0]), Frame.ip(.egress, .v6, 6, tcp, length: 60),
            Frame.ip(.egress, .v6, 6, tcp, from: mapped),
            Frame.ip(.egress, .v6, 6, tcp, to: mapped),
            Frame.ip(.egress, .v4, 6, Frame.tcp(1, 80, 0)),
            Frame.ip(.egress, .v4, 6, Frame.tcp(1, 80, 0x29)),
            Frame.ip(.egress, .v4, 6, Frame.tcp(1, 80, 3)),
        ] {
            #expect(try bench.refusal(of: frame, .egress) == .malformed)
        }
        #expect(try bench.refusal(of: Frame.ip(.egress, .v4, 6, tcp, options: 3), .egress) == nil)
    }

    /// Routers would send it on to another destination than the one that was judged.
    @Test func `source routes of IPv4`() throws {
        let bench = try TestBench()
        func judge(_ direction: Direction, _ options: [UInt8]) throws -> HostRefusal? {
            let (source, destination): (UInt16, UInt16) =
                direction == .egress ? (1, 80) : (5, 443)
            var frame = Frame.ip(
                direction, .v4, 6, Frame.tcp(source, destination, syn), options: options.count / 4)
            frame.replaceSubrange(34..<34 + options.count, with: options)
            return try bench.refusal(of: frame, direction)
        }
        let route: [UInt8] = [7, 4, 10, 0, 0, 9]
        for direction in [Direction.egress, .ingress] {
            for kind in [131, 137] as [UInt8] {
                #expect(try judge(direction, [kind] + route + [0]) == .extensionHeaders)
                #expect(try judge(direction, [1, kind] + route) == .extensionHeaders)
                #expect(
                    try judge(direction, [148, 4, 0, 0, kind] + route + [0]) == .extensionHeaders)
            }
            // A length of 0 and of 1.
            #expect(try judge(direction, [7, 0, 4, 0]) == .extensionHeaders)
            #expect(try judge(direction, [7, 1, 4, 0]) == .extensionHeaders)
            // A router alert, and what stands behind the end of the options.
            #expect(try judge(direction, [148, 4, 0, 0]) == nil)
            #expect(try judge(direction, [0, 131, 7, 4, 10, 0, 0, 9]) == nil)
        }
    }

    @Test func `later fragments share the first one's fate`() throws {
        let bench = try TestBench()
        func judge(
            _ offset: UInt16, _ payload: [UInt8], _ identification: UInt16, more: Bool = true
        ) throws -> HostRefusal? {
            try bench.refusal(
                of: Frame.ip(
                    .egress, .v4, 6, payload, fragment: (more ? 0x2000 : 0) | offset,
                    identification: identification), .egress)
        }
        let rest = [UInt8](repeating: 7, count: 16)
        #expect(try judge(3, rest, 1) == .fragment)
        #expect(try judge(0, Frame.tcp(1, 80, syn), 1) == nil)
        #expect(try judge(3, rest, 1, more: false) == nil)
        #expect(try judge(1, rest, 1) == .fragment)
        #expect(try judge(3, rest, 2) == .fragment)
        #expect(try judge(0, Frame.tcp(1, 81, syn), 1) == .refused)
        #expect(try judge(3, rest, 1) == .fragment)
        #expect(try judge(0, Array(Frame.tcp(1, 80, syn).prefix(8)), 3) == .fragment)
        #expect(try judge(0, Frame.tcp(1, 80, syn), 4) == nil)
        try bench.revoke()
        #expect(try judge(3, rest, 4) == .revoked)
    }

    @Test func `fragments of IPv6`() throws {
        let bench = try TestBench()
        func judge(_ offset: UInt16, _ payload: [UInt8]) throws -> HostRefusal? {
            let header: [UInt8] = [6, 0] + (offset << 3 | 1).bytes + [0, 0, 0, 9]
            return try bench.refusal(
                of: Frame.ip(.egress, .v6, 44, header + payload), .egress)
        }
        let rest = [UInt8](repeating: 7, count: 16)
        #expect(try judge(3, rest) == .fragment)
        #expect(try judge(0, Frame.tcp(1, 80, syn)) == nil)
        #expect(try judge(3, rest) == nil)
        #expect(try judge(1, rest) == .fragment)
    }

    @Test func `extension headers are followed to a bound`() throws {
        let bench = try TestBench()
        func judge(_ kinds: [UInt8], _ body: [UInt8] = [0, 0, 0, 0, 0, 0]) throws -> HostRefusal? {
            var payload: [UInt8] = []
            for index in kinds.indices {
                payload += [index + 1 < kinds.count ? kinds[index + 1] : 6, 0] + body
            }
            return try bench.refusal(
                of: Frame.ip(.egress, .v6, kinds.first ?? 6, payload + Frame.tcp(1, 80, syn)),
                .egress)
        }
        #expect(try judge([]) == nil)
        #expect(try judge([0]) == nil)
        #expect(try judge([0, 60, 43, 60]) == nil)
        #expect(try judge(Array(repeating: 60, count: 8)) == nil)
        #expect(try judge(Array(repeating: 60, count: 9)) == .extensionHeaders)
        #expect(try judge([60, 0]) == .extensionHeaders)
        // A route that is not at its end.
        #expect(try judge([43], [4, 1, 0, 0, 0, 0]) == .extensionHeaders)
    }

    @Test(arguments: families)
    func `ICMP errors belong to the flow that they quote`(_ family: AddressFamily) throws {
        let bench = try TestBench()
        let (number, unreachable): (UInt8, UInt8) = family == .v4 ? (1, 3) : (58, 1)
        let call = Frame.ip(.egress, family, 6, Frame.tcp(1000, 80, syn))
        func error(quoting frame: [UInt8]) -> [UInt8] {
            Frame.ip(
                .ingress, family, number,
                Frame.icmp(unreachable, 1, [0, 0, 0, 0]) + frame.dropFirst(14))
        }
        #expect(try bench.refusal(of: error(quoting: call), .ingress) == .invalid)
        #expect(try bench.refusal(of: call, .egress) == nil)
        #expect(try bench.refusal(of: error(quoting: call), .ingress) == nil)
        let other = Frame.ip(.egress, family, 6, Frame.tcp(1001, 80, syn))
        #expect(try bench.refusal(of: error(quoting: other), .ingress) == .invalid)
        let foreign = Frame.ip(
            .egress, family, 6, Frame.tcp(1000, 80, syn), from: Frame.peers[family == .v4 ? 0 : 1])
        #expect(try bench.refusal(of: error(quoting: foreign), .ingress) == .invalid)
        try bench.revoke()
        #expect(try bench.refusal(of: error(quoting: call), .ingress) == .revoked)
    }

    @Test(arguments: families)
    func `errors come from who they say`(_ family: AddressFamily) throws {
        let bench = try TestBench()
        let index = family == .v4 ? 0 : 1
        let (number, unreachable): (UInt8, UInt8) = family == .v4 ? (1, 3) : (58, 1)
        let call = Frame.ip(.egress, family, 6, Frame.tcp(1000, 80, syn))
        func error(from source: IPAddress) -> [UInt8] {
            Frame.ip(
                .ingress, family, number,
                Frame.icmp(unreachable, 1, [0, 0, 0, 0]) + call.dropFirst(14), from: source)
        }
        #expect(try bench.refusal(of: call, .egress) == nil)
        #expect(try bench.refusal(of: error(from: Frame.own[index]), .ingress) == .spoofed)
        #expect(
            try bench.refusal(of: error(from: Frame.own[index]), .ingress, mark: 0) == .spoofed)
        // A local address without its endpoint's mark.
        let peer = error(from: Frame.peers[index])
        #expect(try bench.refusal(of: peer, .ingress, mark: 0) == .identity)
        #expect(try bench.refusal(of: peer, .ingress) == nil)
    }

    @Test(arguments: families)
    func `later fragments come from who they say`(_ family: AddressFamily) throws {
        let bench = try TestBench()
        func judge(
            _ offset: UInt16, _ payload: [UInt8], mark: UInt32? = nil, own: Bool = false
        ) throws -> HostRefusal? {
            let source = own ? Frame.own[family == .v4 ? 0 : 1] : nil
            let field = family == .v4 ? 0x2000 | offset : offset << 3 | 1
            let header: [UInt8] = [6, 0] + field.bytes + [0, 0, 0, 9]
            let frame =
                family == .v4
                ? Frame.ip(.ingress, .v4, 6, payload, from: source, fragment: field)
                : Frame.ip(.ingress, .v6, 44, header + payload, from: source)
            return try bench.refusal(of: frame, .ingress, mark: mark)
        }
        let rest = [UInt8](repeating: 7, count: 16)
        #expect(try judge(0, Frame.tcp(5, 443, syn)) == nil)
        #expect(try judge(3, rest) == nil)
        #expect(try judge(3, rest, mark: 0) == .identity)
        #expect(try judge(3, rest, own: true) == .spoofed)
    }

    /// A segment that closes opens no flow: it passes only where its flow is still known.
    @Test func `a flood of flows pushes out nobody else's`() throws {
        let bench = try TestBench()
        let fin: UInt8 = 17
        let call = Frame.ip(.ingress, .v4, 6, Frame.tcp(5, 443, syn))
        let close = Frame.ip(.ingress, .v4, 6, Frame.tcp(5, 443, fin))
        #expect(try bench.refusal(of: close, .ingress) == .invalid)
        #expect(try bench.refusal(of: call, .ingress) == nil)
        let flood = try bench.filter.runFirstPackets(
            Frame.ip(.egress, .v4, 6, Frame.tcp(100, 80, syn)), count: 60_000)
        #expect(flood.passes)
        func answer(to port: UInt16) throws -> HostRefusal? {
            try bench.refusal(
                of: Frame.ip(.ingress, .v4, 6, Frame.tcp(80, port, synAck)), .ingress)
        }
        // Of the flood's own flows the first have their places; the rest push out each other.
        #expect(try answer(to: 101) == nil)
        #expect(try answer(to: 60_100) == nil)
        #expect(try answer(to: 25_000) == .invalid)
        #expect(try bench.refusal(of: close, .ingress) == nil)
        let other = Frame.ip(.ingress, .v4, 6, Frame.tcp(6, 443, syn))
        #expect(try bench.refusal(of: other, .ingress) == nil)
        #expect(
            try bench.refusal(
                of: Frame.ip(.ingress, .v4, 6, Frame.tcp(6, 443, fin)), .ingress) == nil)
    }

    @Test func `a flood of refused flows is counted to the last packet`() throws {
        let bench = try TestBench()
        let flood = try bench.filter.runFirstPackets(
            Frame.ip(.egress, .v4, 6, Frame.tcp(100, 81, syn)), count: 60_000)
        #expect(!flood.passes)
        #expect(try bench.total(.refused) == 60_000)
        #expect(try bench.filter.takeRefusedFlows().count == 512)
        // And there is room again.
        #expect(
            try bench.refusal(
                of: Frame.ip(.egress, .v4, 6, Frame.tcp(99, 81, syn)), .egress) == .refused)
        #expect(try bench.filter.refusedFlows().count == 1)
    }

    @Test(arguments: families)
    func `requests and answers of ICMP`(_ family: AddressFamily) throws {
        let bench = try TestBench()
        let (number, request, answer): (UInt8, UInt8, UInt8) =
            family == .v4 ? (1, 8, 0) : (58, 128, 129)
        func judge(_ direction: Direction, _ type: UInt8) throws -> HostRefusal? {
            try bench.refusal(
                of: Frame.ip(direction, family, number, Frame.icmp(type)), direction)
        }
        #expect(try judge(.ingress, answer) == .invalid)
        #expect(try judge(.ingress, request) == .refused)
        #expect(try judge(.egress, request) == nil)
        #expect(try judge(.ingress, answer) == nil)
        #expect(try judge(.egress, 200) == .invalid)
        // The other family's ICMP is none.
        let wrong = Frame.ip(.egress, family, family == .v4 ? 58 : 1, Frame.icmp(request))
        #expect(try bench.refusal(of: wrong, .egress) == .invalid)
    }
}
