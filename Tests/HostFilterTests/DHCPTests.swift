@testable import HostFilter
import NetTypes
import Testing

/// Messages of DHCP at the host end of a veth.
@Suite(.serialized) struct DHCPTests {
    private static let nowhere = IPAddress.v4(0)
    private static let broadcast = IPAddress.v4(.max)
    private static let offered = IPAddress.v4(0x0a00_0063)
    private static let stranger = IPAddress.v4(0x0a00_0009)

    private func udp(
        _ direction: Direction, _ from: UInt16, _ to: UInt16, source: IPAddress? = nil,
        destination: IPAddress? = nil, family: AddressFamily = .v4
    ) -> [UInt8] {
        Frame.ip(
            direction, family, 17, Frame.udp(from, to), from: source, to: destination)
    }

    private func search(_ from: UInt16 = 68, _ to: UInt16 = 67, at target: IPAddress = broadcast)
        -> [UInt8]
    {
        udp(.egress, from, to, source: Self.nowhere, destination: target)
    }

    @Test func `without a rule nothing passes`() throws {
        let bench = try TestBench()
        #expect(try bench.refusal(of: search(), .egress) == .spoofed)
        for target in [Self.broadcast, Frame.own[0]] {
            let offer = udp(.ingress, 67, 68, destination: target)
            #expect(try bench.refusal(of: offer, .ingress) == .refused)
        }
        let offer = udp(.ingress, 67, 68, destination: Self.offered)
        #expect(try bench.refusal(of: offer, .ingress) == .forwarded)
    }

    @Test func `a search goes to everybody, from no address or an own one`() throws {
        let bench = try TestBench()
        try bench.admitDHCP()
        for _ in 0..<3 { #expect(try bench.refusal(of: search(), .egress) == nil) }
        let renewal = udp(.egress, 68, 67, destination: Self.broadcast)
        #expect(try bench.refusal(of: renewal, .egress) == nil)
        for (frame, refusal) in [
            (search(67, 68), HostRefusal.spoofed), (search(68, 69), .spoofed),
            (search(1068, 67), .spoofed), (search(at: Frame.peers[0]), .spoofed),
            (search(at: .v4(0x0a00_00ff)), .spoofed),
            (udp(.egress, 68, 67, source: Self.stranger, destination: Self.broadcast), .spoofed),
            (udp(.egress, 1068, 67, destination: Self.broadcast), .refused),
            (udp(.egress, 68, 67), .refused), (udp(.egress, 67, 68), .dhcpServer),
        ] { #expect(try bench.refusal(of: frame, .egress) == refusal) }
        let tcp = Frame.ip(
            .egress, .v4, 6, Frame.tcp(68, 67, 2), from: Self.nowhere, to: Self.broadcast)
        #expect(try bench.refusal(of: tcp, .egress) == .spoofed)
        // Nothing was opened by it.
        let back = udp(.ingress, 67, 68, source: Self.stranger, destination: Self.nowhere)
        #expect(try bench.refusal(of: back, .ingress, mark: 0) == .forwarded)
    }

    @Test func `the named server offers an address that nothing has yet`() throws {
        let bench = try TestBench()
        try bench.admitDHCP()
        for target in [Self.broadcast, Self.offered, Frame.own[0]] {
            let offer = udp(.ingress, 67, 68, destination: target)
            #expect(try bench.refusal(of: offer, .ingress) == nil)
            // The server's address without its mark.
            #expect(try bench.refusal(of: offer, .ingress, mark: 0) == .identity)
            let other = udp(.ingress, 67, 68, source: Self.stranger, destination: target)
            #expect(
                try bench.refusal(of: other, .ingress, mark: 0)
                    == (target == Self.offered ? .forwarded : .refused))
            let port = udp(.ingress, 1067, 68, destination: target)
            #expect(
                try bench.refusal(of: port, .ingress)
                    == (target == Self.offered ? .forwarded : .refused))
        }
        // An address that another endpoint has.
        let taken = udp(.ingress, 67, 68, destination: Frame.peers[0])
        #expect(try bench.refusal(of: taken, .ingress) == .forwarded)
        // An offer opens nothing: from the offered address nothing is sent.
        let answer = udp(.egress, 68, 67, source: Self.offered)
        #expect(try bench.refusal(of: answer, .egress) == .spoofed)
    }

    @Test func `who hears a search is not called`() throws {
        let bench = try TestBench()
        let heard = udp(.ingress, 68, 67, source: Self.nowhere, destination: Self.broadcast)
        #expect(try bench.overhearing(heard, mark: 0) == .multicast)
        #expect(try bench.overhearing(heard) == .multicast)
        let call = udp(.ingress, 68, 53, source: Self.nowhere, destination: Self.broadcast)
        #expect(try bench.refusal(of: call, .ingress, mark: 0) == .refused)
    }

    @Test func `DHCPv6 from the link-local address`() throws {
        let bench = try TestBench()
        let servers = IPAddress.v6(UInt128(0xff02) << 112 | 0x1_0002)
        let search = udp(.egress, 546, 547, destination: servers, family: .v6)
        let answer = udp(.ingress, 547, 546, family: .v6)
        #expect(try bench.refusal(of: search, .egress) == .refused)
        #expect(try bench.refusal(of: answer, .ingress) == .refused)
        try bench.admitDHCP()
        #expect(try bench.refusal(of: search, .egress) == nil)
        #expect(try bench.refusal(of: answer, .ingress) == nil)
        let lost = udp(.ingress, 547, 546, destination: .v6(0xfd00 << 112 | 0x63), family: .v6)
        #expect(try bench.refusal(of: lost, .ingress) == .forwarded)
        #expect(
            try bench.refusal(of: udp(.ingress, 1547, 546, family: .v6), .ingress) == .refused)
        #expect(try bench.refusal(of: udp(.ingress, 67, 68, family: .v6), .ingress) == .refused)
    }
}
