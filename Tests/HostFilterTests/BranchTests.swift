import HostFilter
import NetTypes
import Testing

/// The branches of the programs that `ProgramTests` doesn't come by.
@Suite(.serialized) struct BranchTests {
    private let syn: UInt8 = 2, ack: UInt8 = 16, synAck: UInt8 = 18, rst: UInt8 = 4, fin: UInt8 = 17
    private static let families: [AddressFamily] = [.v4, .v6]
    private static let everybody = [UInt8](repeating: 0xff, count: 6)

    /// A frame with another destination link-layer address.
    private func frame(_ frame: [UInt8], to link: [UInt8]) -> [UInt8] { link + frame.dropFirst(6) }

    @Test func `frames for other MACs are nobody's attempt`() throws {
        let bench = try TestBench()
        let call = Frame.ip(.ingress, .v4, 6, Frame.tcp(5, 443, syn))
        let flooded = frame(call, to: [2, 0, 0, 0, 0, 9])
        #expect(try bench.overhearing(flooded) == .flooded)
        // In a frame for everybody it is judged.
        #expect(try bench.refusal(of: frame(call, to: Self.everybody), .ingress) == nil)
    }

    @Test func `groups are judged by rules`() throws {
        let bench = try TestBench()
        for (family, group) in [
            (AddressFamily.v4, IPAddress.v4(0xe000_0001)), (.v4, .v4(0xffff_ffff)),
            (.v6, .v6(UInt128(0xff02) << 112 | 1)),
        ] {
            let call = Frame.ip(.ingress, family, 17, Frame.udp(5, 5353), to: group)
            #expect(try bench.refusal(of: call, .ingress) == .refused)
            let sent = Frame.ip(.egress, family, 17, Frame.udp(5, 5353), to: group)
            #expect(try bench.refusal(of: sent, .egress) == .refused)
        }
    }

    @Test func `ARP for the endpoint, and what is none`() throws {
        let bench = try TestBench()
        let asked = Frame.ethernet(
            .ingress, 0x0806, Frame.arp(1, link: Frame.peerLink, Frame.peers[0]))
        #expect(try bench.refusal(of: asked, .ingress) == nil)
        let short = Frame.ethernet(.ingress, 0x0806, [0, 1, 8, 0, 6, 4])
        #expect(try bench.refusal(of: short, .ingress) == .malformed)
        let whole = Frame.arp(1, link: Frame.ownLink, Frame.own[0])
        for index in 0..<6 {
            var wrong = whole
            wrong[index] ^= 1
            let frame = Frame.ethernet(.egress, 0x0806, wrong)
            #expect(try bench.refusal(of: frame, .egress) == .malformed)
        }
    }

    @Test func `listener reports and router solicitations`() throws {
        let bench = try TestBench()
        func judge(
            _ direction: Direction, _ type: UInt8, hops: UInt8, _ rest: [UInt8] = [],
            from source: IPAddress? = nil, to target: IPAddress? = nil, mark: UInt32? = nil
        ) throws -> HostRefusal? {
            // What an endpoint says is for routers.
            let destination = target ?? (direction == .egress ? Frame.allRouters : nil)
            return try bench.refusal(
                of: Frame.ip(
                    direction, .v6, 58, Frame.icmp(type, 0, [0, 0, 0, 0]) + rest, from: source,
                    to: destination, hops: hops), direction, mark: mark)
        }
        let target = Frame.own[1].bytes
        for type in [131, 132, 143] as [UInt8] {
            #expect(try judge(.egress, type, hops: 1) == nil)
            #expect(try judge(.egress, type, hops: 2) == .invalid)
            #expect(try judge(.egress, type, hops: 1, to: Frame.peers[1]) == .invalid)
        }
        #expect(try judge(.egress, 131, hops: 1, from: .v6(0)) == .invalid)
        #expect(try judge(.egress, 143, hops: 1, from: .v6(0)) == nil)
        #expect(try judge(.egress, 133, hops: 255, from: .v6(0)) == nil)
        #expect(try judge(.egress, 133, hops: 64) == .neighbourDiscovery)
        #expect(try judge(.egress, 135, hops: 64, target) == .neighbourDiscovery)
        #expect(try judge(.egress, 136, hops: 255, Array(target.prefix(8))) == .malformed)
        #expect(try judge(.ingress, 130, hops: 1) == nil)
        #expect(try judge(.ingress, 130, hops: 2) == .invalid)
        #expect(try judge(.ingress, 131, hops: 1) == .invalid)
        for type in [135, 136] as [UInt8] {
            #expect(try judge(.ingress, type, hops: 255, target) == nil)
            #expect(try judge(.ingress, type, hops: 64, target) == .neighbourDiscovery)
        }
        #expect(try judge(.ingress, 134, hops: 64, mark: 0) == .router)
        #expect(try judge(.ingress, 137, hops: 255) == .router)
        // What hosts say to routers, and a bridge to everybody.
        let solicitation = Frame.discovery(.ingress, 133, [], to: Frame.allRouters)
        #expect(try bench.overhearing(solicitation) == .multicast)
    }

    @Test(arguments: families)
    func `who sends is who it is behind a translation`(_ family: AddressFamily) throws {
        let bench = try TestBench()
        let host: IPAddress = family == .v4 ? .v4(0x0a00_00fe) : .v6(UInt128(0xfd00) << 112 | 0xfe)
        func call(_ port: UInt16, mark: UInt32) throws -> HostRefusal? {
            try bench.refusal(
                of: Frame.ip(.ingress, family, 6, Frame.tcp(9, port, syn), from: host), .ingress,
                mark: mark)
        }
        #expect(try call(443, mark: 0) == .refused)
        #expect(try call(443, mark: bench.filter.mark(ofSender: 3)) == .refused)
        #expect(try call(443, mark: bench.peerMark) == nil)
        #expect(try call(444, mark: bench.peerMark) == .refused)
        // What is called sits behind the address that was called: who answers first is it.
        let answer = Frame.ip(.egress, family, 6, Frame.tcp(443, 9, synAck), to: host)
        #expect(try bench.refusal(of: answer, .egress) == nil)
        let close = Frame.ip(.ingress, family, 6, Frame.tcp(9, 443, fin), from: host)
        #expect(try bench.refusal(of: close, .ingress, mark: 0) == .invalid)
        #expect(try bench.refusal(of: close, .ingress) == nil)
    }

    @Test(arguments: families)
    func `a port that is used again opens a new flow`(_ family: AddressFamily) throws {
        let bench = try TestBench()
        func out(_ flags: UInt8) throws -> HostRefusal? {
            try bench.refusal(of: Frame.ip(.egress, family, 6, Frame.tcp(1, 80, flags)), .egress)
        }
        func back(_ flags: UInt8, mark: UInt32? = nil) throws -> HostRefusal? {
            try bench.refusal(
                of: Frame.ip(.ingress, family, 6, Frame.tcp(80, 1, flags)), .ingress, mark: mark)
        }
        #expect(try out(rst) == .invalid)
        #expect(try out(fin) == .invalid)
        #expect(try out(syn) == nil)
        #expect(try back(synAck) == nil)
        #expect(try back(ack, mark: bench.filter.mark(ofSender: 3)) == .refused)
        #expect(try out(fin) == nil)
        #expect(try out(syn) == nil)
        // Nobody has answered the new one yet: who does is its partner.
        #expect(try back(synAck, mark: bench.filter.mark(ofSender: 3)) == nil)
        #expect(try back(ack) == .refused)
    }

    @Test(arguments: families)
    func `protocols without ports, and SCTP`(_ family: AddressFamily) throws {
        let bench = try TestBench()
        let sctp: [UInt8] = [0, 1, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0]
        for (number, body, refusal) in [
            (UInt8(47), [UInt8](repeating: 0, count: 8), HostRefusal.refused),
            (132, sctp, .refused), (132, Array(sctp.prefix(11)), .malformed),
            (17, Array(Frame.udp(1, 53).prefix(7)), .malformed),
            (family == .v4 ? 1 : 58, [8, 0, 0, 0, 0, 0, 0], .malformed),
        ] {
            #expect(
                try bench.refusal(of: Frame.ip(.egress, family, number, body), .egress) == refusal)
        }
        // Bytes behind a datagram are nobody's.
        let padded = Frame.ip(.ingress, family, 17, Frame.udp(5, 53) + [0, 0, 0, 0])
        #expect(try bench.refusal(of: padded, .ingress) == nil)
    }

    @Test func `authentication headers are extension headers`() throws {
        let bench = try TestBench()
        let header: [UInt8] = [6, 4] + [UInt8](repeating: 0, count: 22)
        let call = Frame.ip(.egress, .v6, 51, header + Frame.tcp(1, 80, syn))
        #expect(try bench.refusal(of: call, .egress) == nil)
        let long = Frame.ip(.egress, .v6, 51, [6, 255] + [UInt8](repeating: 0, count: 22))
        #expect(try bench.refusal(of: long, .egress) == .malformed)
        let cut = Frame.ip(.egress, .v6, 60, [6, 0, 0, 0])
        #expect(try bench.refusal(of: cut, .egress) == .malformed)
        // Two fragment headers, and a header that runs out of the first fragment.
        let fragment: [UInt8] = [44, 0, 0, 1, 0, 0, 0, 9]
        let two = Frame.ip(
            .egress, .v6, 44, fragment + [6, 0, 0, 1, 0, 0, 0, 9] + Frame.tcp(1, 80, syn))
        #expect(try bench.refusal(of: two, .egress) == .extensionHeaders)
        let out = Frame.ip(.egress, .v6, 44, [60, 0, 0, 1, 0, 0, 0, 9, 6, 9, 0, 0, 0, 0, 0, 0])
        #expect(try bench.refusal(of: out, .egress) == .fragment)
    }

    @Test(arguments: families)
    func `who lies about itself is told so first`(_ family: AddressFamily) throws {
        let bench = try TestBench()
        let foreign: IPAddress = family == .v4 ? .v4(0x0a00_0003) : .v6(UInt128(0xfd00) << 112 | 3)
        let short = Array(Frame.tcp(1, 80, syn).prefix(8))
        let frame =
            family == .v4
            ? Frame.ip(.egress, .v4, 6, short, from: foreign, fragment: 0x2000)
            : Frame.ip(.egress, .v6, 44, [6, 0, 0, 1, 0, 0, 0, 9] + short, from: foreign)
        #expect(try bench.refusal(of: frame, .egress) == .spoofed)
    }

    @Test(arguments: families)
    func `errors about calls to the endpoint`(_ family: AddressFamily) throws {
        let bench = try TestBench()
        let (number, unreachable): (UInt8, UInt8) = family == .v4 ? (1, 3) : (58, 1)
        let call = Frame.ip(.ingress, family, 6, Frame.tcp(5, 443, syn))
        let answer = Frame.ip(.egress, family, 6, Frame.tcp(443, 5, synAck))
        func error(_ direction: Direction, _ quote: some Sequence<UInt8>) -> [UInt8] {
            Frame.ip(
                direction, family, number, Frame.icmp(unreachable, 1, [0, 0, 0, 0]) + quote)
        }
        let about = call.dropFirst(14)
        #expect(try bench.refusal(of: error(.egress, about), .egress) == .invalid)
        #expect(try bench.refusal(of: call, .ingress) == nil)
        #expect(try bench.refusal(of: error(.egress, about), .egress) == nil)
        let answered = error(.ingress, answer.dropFirst(14))
        #expect(try bench.refusal(of: answered, .ingress) == nil)
        // Another endpoint than the one that called.
        let other = bench.filter.mark(ofSender: 3)
        #expect(try bench.refusal(of: answered, .ingress, mark: other) == .invalid)
        // Quotes that are cut off before the ports end, of a later fragment, and of an error.
        let header = family == .v4 ? 20 : 40
        #expect(
            try bench.refusal(of: error(.egress, about.prefix(header + 7)), .egress) == .invalid)
        #expect(
            try bench.refusal(of: error(.egress, about.prefix(header - 1)), .egress) == .invalid)
        let later =
            family == .v4
            ? Frame.ip(.ingress, .v4, 6, Frame.tcp(5, 443, syn), fragment: 3)
            : Frame.ip(.ingress, .v6, 44, [6, 0, 0, 24, 0, 0, 0, 9] + Frame.tcp(5, 443, syn))
        #expect(try bench.refusal(of: error(.egress, later.dropFirst(14)), .egress) == .invalid)
        #expect(
            try bench.refusal(of: error(.egress, answered.dropFirst(14)), .egress) == .invalid)
    }

    @Test func `an interface that nobody declared is closed`() throws {
        let bench = try TestBench()
        let call = Frame.ip(.egress, .v4, 6, Frame.tcp(1, 80, syn))
        #expect(try bench.filter.run(call, .egress).passes)
        try bench.undeclare()
        for direction in [Direction.egress, .ingress] {
            #expect(try !bench.filter.run(call, direction).passes)
        }
    }

    @Test func `the mark's other bits are left alone`() throws {
        for mask in [0xffff_0000, 0x00ff_0000, 0x0000_ffff, 0xff00_0000] as [UInt32] {
            let bench = try TestBench(identityMask: mask)
            let call = Frame.ip(.egress, .v4, 6, Frame.tcp(1, 80, syn))
            for frame in [
                call,
                Frame.ethernet(
                    .egress, 0x0806, Frame.arp(1, link: Frame.ownLink, Frame.own[0])),
            ] {
                let run = try bench.filter.run(frame, .egress, mark: 0xa5a5_a5a5)
                #expect(run.passes)
                let number: UInt32 = 1 << UInt32(mask.trailingZeroBitCount)
                #expect(run.mark == 0xa5a5_a5a5 & ~mask | number)
            }
            let other = Frame.ip(.ingress, .v4, 6, Frame.tcp(5, 443, syn))
            #expect(try bench.refusal(of: other, .ingress) == nil)
        }
    }
}
