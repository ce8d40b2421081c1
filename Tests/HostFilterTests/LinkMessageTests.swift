@testable import HostFilter
import NetTypes
import Testing

/// ARP and neighbour discovery: of one form, about the sender, and no more than a rate.
@Suite(.serialized) struct LinkMessageTests {
    private static let broadcast = [UInt8](repeating: 0xff, count: 6)
    private let stranger = IPAddress.v4(0x0a00_0009)
    private let stranger6 = IPAddress.v6(UInt128(0xfd00) << 112 | 9)
    private let mine: [UInt8] = [1, 1] + Frame.ownLink

    private func arp(
        _ direction: Direction, _ message: [UInt8], to link: [UInt8]? = nil, behind: [UInt8] = []
    ) -> [UInt8] {
        let frame = Frame.ethernet(direction, 0x0806, message) + behind
        return (link ?? Array(frame.prefix(6))) + frame.dropFirst(6)
    }

    @Test func `nothing travels with ARP`() throws {
        let bench = try TestBench()
        let message = Frame.arp(1, link: Frame.ownLink, Frame.own[0])
        func judge(_ behind: [UInt8]) throws -> HostRefusal? {
            try bench.refusal(of: arp(.egress, message, behind: behind), .egress)
        }
        for count in [0, 1, 17, 18] {
            #expect(try judge([UInt8](repeating: 0, count: count)) == nil)
            if count > 0 {
                #expect(try judge([UInt8](repeating: 0, count: count - 1) + [1]) == .arp)
            }
        }
        for count in [19, 46, 1400] {
            #expect(try judge([UInt8](repeating: 0, count: count)) == .arp)
        }
    }

    @Test func `the fields of ARP say nothing else`() throws {
        let bench = try TestBench()
        func judge(
            _ operation: UInt16, about target: IPAddress, at link: [UInt8],
            to frame: [UInt8] = Frame.peerLink
        ) throws -> HostRefusal? {
            let message = Frame.arp(
                operation, link: Frame.ownLink, Frame.own[0], about: target, at: link)
            return try bench.refusal(of: arp(.egress, message, to: frame), .egress)
        }
        for link in [Frame.ownLink, Frame.peerLink, Self.broadcast, [0, 0, 0, 0, 0, 0]] {
            #expect(try judge(1, about: Frame.peers[0], at: link) == nil)
            #expect(try judge(2, about: Frame.peers[0], at: link) == nil)
        }
        #expect(try judge(1, about: Frame.peers[0], at: [2, 0, 0, 0, 0, 3]) == .arp)
        #expect(
            try judge(1, about: stranger, at: Self.broadcast, to: Self.broadcast) == nil)
        #expect(
            try judge(1, about: stranger, at: Self.broadcast, to: [1, 0, 0x5e, 0, 0, 1]) == .arp)
    }

    @Test func `probes of ARP are about the endpoint's own addresses`() throws {
        let bench = try TestBench()
        for (target, refusal) in [
            (Frame.own[0], nil), (Frame.peers[0], HostRefusal.arp), (stranger, .arp),
        ] {
            let message = Frame.arp(1, link: Frame.ownLink, .v4(0), about: target)
            let frame = arp(.egress, message, to: Self.broadcast)
            #expect(try bench.refusal(of: frame, .egress) == refusal)
        }
    }

    @Test func `ARP that is not about the endpoint doesn't reach it`() throws {
        let bench = try TestBench()
        func frame(_ operation: UInt16, about target: IPAddress, to link: [UInt8]) -> [UInt8] {
            let message = Frame.arp(operation, link: Frame.peerLink, Frame.peers[0], about: target)
            return arp(.ingress, message, to: link)
        }
        for operation in [1, 2] as [UInt16] {
            for link in [Self.broadcast, Frame.ownLink] {
                for target in [Frame.own[0], Frame.peers[0]] {
                    let frame = frame(operation, about: target, to: link)
                    #expect(try bench.refusal(of: frame, .ingress) == nil)
                }
            }
            #expect(
                try bench.overhearing(frame(operation, about: stranger, to: Self.broadcast))
                    == .multicast)
            let direct = frame(operation, about: stranger, to: Frame.ownLink)
            #expect(try bench.refusal(of: direct, .ingress) == .forwarded)
        }
        let reverse = frame(3, about: Frame.own[0], to: Frame.ownLink)
        #expect(try bench.refusal(of: reverse, .ingress) == .arp)
    }

    /// A message with something wrong, the second value is what.
    private var wrongSolicitations: [(frame: [UInt8], what: String)] {
        let target = Frame.peers[1]
        let group = Frame.solicitedGroup(of: target)
        func frame(
            _ rest: [UInt8]? = nil, code: UInt8 = 0, flags: [UInt8] = [0, 0, 0, 0],
            to destination: IPAddress? = nil
        ) -> [UInt8] {
            Frame.discovery(
                .egress, 135, rest ?? target.bytes + mine, code: code, flags: flags,
                to: destination ?? group)
        }
        var (label, checksum, link) = (frame(), frame(), frame())
        label[17] = 1
        checksum[14 + 42] ^= 1
        link[5] ^= 1
        return [
            (frame(target.bytes + mine + mine), "two options"),
            (frame(target.bytes + [14, 1, 1, 2, 3, 4, 5, 6]), "a nonce"),
            (frame(target.bytes + [200, 1, 1, 2, 3, 4, 5, 6]), "an unknown option"),
            (frame(target.bytes + [1, 2] + mine.dropFirst(2)), "an option's length"),
            (frame(target.bytes + mine + [0]), "a byte behind"), (frame() + [0], "padding"),
            (frame(code: 1), "a code"), (frame(flags: [0, 0, 0, 1]), "reserved bits"),
            (frame(to: Frame.allNodes), "another group"), (frame(group.bytes + mine), "a group"),
            (label, "a flow label"), (checksum, "a checksum"), (link, "a group's MAC"),
        ]
    }

    @Test func `nothing travels with a solicitation`() throws {
        let bench = try TestBench()
        for destination in [Frame.peers[1], Frame.solicitedGroup(of: Frame.peers[1])] {
            for option in [mine, []] {
                let frame = Frame.discovery(
                    .egress, 135, Frame.peers[1].bytes + option, to: destination)
                #expect(try bench.refusal(of: frame, .egress) == nil)
            }
        }
        for (frame, what) in wrongSolicitations {
            #expect(try bench.refusal(of: frame, .egress) == .neighbourDiscovery, "\(what)")
        }
    }

    @Test func `who looks for duplicates looks for its own`() throws {
        let bench = try TestBench()
        let nonce: [UInt8] = [14, 1, 1, 2, 3, 4, 5, 6]
        func judge(_ target: IPAddress, _ option: [UInt8]) throws -> HostRefusal? {
            try bench.refusal(
                of: Frame.discovery(
                    .egress, 135, target.bytes + option, from: .v6(0),
                    to: Frame.solicitedGroup(of: target)), .egress)
        }
        #expect(try judge(Frame.own[1], nonce) == nil)
        #expect(try judge(Frame.own[1], []) == nil)
        #expect(try judge(Frame.own[1], mine) == .neighbourDiscovery)
        #expect(try judge(Frame.peers[1], nonce) == .neighbourDiscovery)
        #expect(try judge(stranger6, []) == .neighbourDiscovery)
    }

    @Test func `nothing travels with advertisements and router solicitations`() throws {
        let bench = try TestBench()
        func judge(
            _ type: UInt8, _ rest: [UInt8], flags: [UInt8] = [0, 0, 0, 0],
            to destination: IPAddress? = nil
        ) throws -> HostRefusal? {
            try bench.refusal(
                of: Frame.discovery(.egress, type, rest, flags: flags, to: destination), .egress)
        }
        let own = Frame.own[1].bytes, link: [UInt8] = [2, 1] + Frame.ownLink
        #expect(try judge(136, own + link, flags: [0xe0, 0, 0, 0]) == nil)
        #expect(try judge(136, own + link, to: Frame.allNodes) == nil)
        #expect(try judge(136, own + link, to: Frame.allRouters) == .neighbourDiscovery)
        #expect(try judge(136, own + link, flags: [0xf0, 0, 0, 0]) == .neighbourDiscovery)
        #expect(try judge(136, own + mine) == .neighbourDiscovery)
        #expect(try judge(136, own + link + link) == .neighbourDiscovery)
        #expect(try judge(133, [], to: Frame.allRouters) == nil)
        #expect(try judge(133, mine, to: Frame.allRouters) == nil)
        #expect(try judge(133, mine, to: Frame.peers[1]) == .neighbourDiscovery)
        #expect(try judge(133, mine + mine, to: Frame.allRouters) == .neighbourDiscovery)
        #expect(try judge(133, link, to: Frame.allRouters) == .neighbourDiscovery)
        // Behind a header of options.
        let hidden = Frame.ip(
            .egress, .v6, 60, [58, 0, 1, 4, 0, 0, 0, 0] + Frame.icmp(136) + own + link, hops: 255)
        #expect(try bench.refusal(of: hidden, .egress) == .neighbourDiscovery)
    }

    @Test func `solicitations that are not about the endpoint don't reach it`() throws {
        let bench = try TestBench()
        func frame(_ target: IPAddress, to destination: IPAddress? = nil) -> [UInt8] {
            Frame.discovery(
                .ingress, 135, target.bytes, to: destination ?? Frame.solicitedGroup(of: target))
        }
        #expect(try bench.refusal(of: frame(Frame.own[1]), .ingress) == nil)
        #expect(try bench.refusal(of: frame(Frame.own[1], to: Frame.own[1]), .ingress) == nil)
        #expect(try bench.overhearing(frame(stranger6)) == .multicast)
        #expect(
            try bench.refusal(of: frame(stranger6, to: Frame.own[1]), .ingress) == .forwarded)
        #expect(
            try bench.refusal(of: frame(Frame.own[1], to: stranger6), .ingress) == .forwarded)
    }

    /// It would take the question for a duplicate as long as it looks for one.
    @Test func `nobody else looks for a new address of the endpoint`() throws {
        let bench = try TestBench()
        let probe = Frame.discovery(
            .ingress, 135, Frame.own[1].bytes, from: .v6(0),
            to: Frame.solicitedGroup(of: Frame.own[1]))
        #expect(try bench.refusal(of: probe, .ingress) == .neighbourDiscovery)
        for key in try bench.filter.maps.own.keys() {
            try bench.filter.maps.own.set(HostFilter.seconds &- 11, for: key)
        }
        #expect(try bench.refusal(of: probe, .ingress) == nil)
    }

    @Test func `messages have a rate, and answers don't count`() throws {
        let bench = try TestBench()
        let request = arp(.egress, Frame.arp(1, link: Frame.ownLink, Frame.own[0]))
        #expect(try bench.filter.run(request, .egress, times: 500).passes)
        let flood = 100_000
        #expect(try !bench.filter.run(request, .egress, times: flood).passes)
        let refused = try bench.total(.arp)
        #expect(refused > UInt64(flood / 2) && refused < UInt64(flood))
        // Whoever asks pays for the answer.
        let question = arp(
            .ingress, Frame.arp(1, link: Frame.peerLink, Frame.peers[0], about: Frame.own[0]))
        #expect(try bench.refusal(of: question, .ingress) == nil)
        let answer = arp(
            .egress, Frame.arp(2, link: Frame.ownLink, Frame.own[0], at: Frame.peerLink))
        #expect(try bench.refusal(of: answer, .egress) == nil)
    }

    @Test func `groups have a rate of their own`() throws {
        let bench = try TestBench()
        func report(_ groups: UInt16) -> [UInt8] {
            Frame.discovery(
                .egress, 143, [], flags: [0, 0] + groups.bytes, to: Frame.allRouters, hops: 1)
        }
        #expect(try bench.refusal(of: report(300), .egress) == .invalid)
        #expect(try bench.refusal(of: report(200), .egress) == nil)
        #expect(try bench.refusal(of: report(200), .egress) == .invalid)
        #expect(try bench.refusal(of: report(20), .egress) == nil)
    }

    @Test func `queries have a rate, so that reports to them fit in theirs`() throws {
        let bench = try TestBench()
        let query = Frame.discovery(.ingress, 130, [], to: Frame.allNodes, hops: 1)
        for _ in 0..<8 { #expect(try bench.refusal(of: query, .ingress) == nil) }
        #expect(try bench.overhearing(query) == .multicast)
        // The host's own.
        #expect(try bench.refusal(of: query, .ingress, mark: 0) == nil)
    }

    @Test func `redirects reach no endpoint`() throws {
        let bench = try TestBench()
        let call = Frame.ip(.egress, .v4, 6, Frame.tcp(1000, 80, 2))
        #expect(try bench.refusal(of: call, .egress) == nil)
        let redirect = Frame.ip(
            .ingress, .v4, 1, Frame.icmp(5, 1, [10, 0, 0, 9]) + call.dropFirst(14))
        for mark in [0, bench.peerMark] as [UInt32] {
            let refusal = try bench.refusal(of: redirect, .ingress, mark: mark)
            #expect(refusal == (mark == 0 ? .identity : .router))
        }
    }
}
