import HostFilter
import NetTypes
import Rules
import Testing

/// What the programs know of flows and endpoints without judging again.
@Suite(.serialized) struct KnownTests {
    private let syn: UInt8 = 2, ack: UInt8 = 16, synAck: UInt8 = 18, fin: UInt8 = 17
    private static let families: [AddressFamily] = [.v4, .v6]

    /// A single port and a range are looked for in two ways.
    @Test(arguments: families, [81...81, 80...95] as [ClosedRange<UInt16>])
    func `what was refused is judged again under another policy`(
        _ family: AddressFamily, _ ports: ClosedRange<UInt16>
    ) throws {
        let bench = try TestBench()
        // A flow that was opened goes on as long as its rule is live: each round has another caller.
        for caller in [1000, 1001] as [UInt16] {
            let call = Frame.ip(.egress, family, 6, Frame.tcp(caller, 81, syn))
            for _ in 0..<3 { #expect(try bench.refusal(of: call, .egress) == .refused) }
            try bench.admit(ports)
            #expect(try bench.refusal(of: call, .egress) == nil)
            try bench.restore()
        }
    }

    /// What was judged last is at hand for whoever calls the same from another port.
    @Test(arguments: families, [81...81, 80...95] as [ClosedRange<UInt16>])
    func `callers of the same are judged again under another policy`(
        _ family: AddressFamily, _ ports: ClosedRange<UInt16>
    ) throws {
        let bench = try TestBench()
        var caller: UInt16 = 1000
        func refusals() throws -> [HostRefusal?] {
            try (0..<3).map { _ in
                caller += 1
                return try bench.refusal(
                    of: Frame.ip(.egress, family, 6, Frame.tcp(caller, 81, syn)), .egress)
            }
        }
        for _ in 0..<3 {
            #expect(try refusals() == [.refused, .refused, .refused])
            try bench.admit(ports)
            #expect(try refusals() == [nil, nil, nil])
            try bench.restore()
        }
    }

    /// The same address and port, by who sends and who is called.
    @Test(arguments: families)
    func `what one may do is not remembered for another`(_ family: AddressFamily) throws {
        let bench = try TestBench()
        for round in 0..<3 as Range<UInt16> {
            let caller = 1000 + 4 * round
            func call(_ offset: UInt16) -> [UInt8] {
                Frame.ip(.ingress, family, 6, Frame.tcp(caller + offset, 443, syn))
            }
            #expect(try bench.refusal(of: call(0), .ingress) == nil)
            // A local endpoint's address that no endpoint has sent from.
            #expect(try bench.refusal(of: call(1), .ingress, mark: 0) == .identity)
            let stranger = bench.filter.mark(ofSender: 3)
            #expect(try bench.refusal(of: call(2), .ingress, mark: stranger) == .refused)
            // It may be called there, and may not call that itself.
            let back = Frame.ip(.egress, family, 6, Frame.tcp(caller + 3, 443, syn))
            #expect(try bench.refusal(of: back, .egress) == .refused)
            let udp = Frame.ip(.ingress, family, 17, Frame.udp(caller, 443))
            #expect(try bench.refusal(of: udp, .ingress) == .refused)
        }
    }

    @Test(arguments: families)
    func `each refused packet is counted, with its own reason`(_ family: AddressFamily) throws {
        let bench = try TestBench()
        func judge(_ flags: UInt8) throws -> HostRefusal? {
            try bench.refusal(
                of: Frame.ip(.egress, family, 6, Frame.tcp(1000, 81, flags)), .egress)
        }
        for _ in 0..<5 { #expect(try judge(syn) == .refused) }
        #expect(try judge(ack) == .refused)
        for _ in 0..<2 { #expect(try judge(fin) == .invalid) }
        #expect(try judge(syn) == .refused)
        let flows = try bench.filter.refusedFlows()
        #expect(flows.count == 2)
        let packets = Dictionary(uniqueKeysWithValues: flows.map { ($0.reason, $1.packets) })
        #expect(packets == [.refused: 7, .invalid: 2])
    }

    @Test(arguments: families)
    func `a refused caller may become a local endpoint's address`(_ family: AddressFamily) throws {
        let bench = try TestBench()
        let caller: IPAddress = family == .v4 ? .v4(0x0a00_0009) : .v6(UInt128(0xfd00) << 112 | 9)
        let call = Frame.ip(.ingress, family, 6, Frame.tcp(5, 443, syn), from: caller)
        for _ in 0..<2 {
            #expect(try bench.refusal(of: call, .ingress, mark: 0) == .refused)
        }
        try bench.filter.setLocals([caller: 2])
        #expect(try bench.refusal(of: call, .ingress, mark: 0) == .identity)
    }

    /// The programs hold four addresses beside the interface, and ask a map for more.
    @Test(arguments: families)
    func `an endpoint sends from each of its addresses and from no other`(
        _ family: AddressFamily
    ) throws {
        let bench = try TestBench()
        func address(_ index: Int) -> IPAddress {
            family == .v4
                ? .v4(0x0a00_0064 + UInt32(index))
                : .v6(UInt128(0xfd00) << 112 | UInt128(100 + index))
        }
        func isOwn(_ index: Int) throws -> Bool {
            let call = Frame.ip(
                .egress, family, 6, Frame.tcp(1000, 80, syn), from: address(index))
            let refusal = try bench.refusal(of: call, .egress)
            #expect(refusal == nil || refusal == .spoofed)
            return refusal == nil
        }
        // Up, beyond the four, and down to one and none again.
        for count in [1, 3, 4, 5, 7, 4, 2, 1, 0] {
            try bench.setOwn((0..<count).map(address))
            for index in 0..<8 { #expect(try isOwn(index) == (index < count)) }
            let nobody: IPAddress = family == .v4 ? .v4(0) : .v6(0)
            let call = Frame.ip(.egress, family, 6, Frame.tcp(1000, 80, syn), from: nobody)
            #expect(try bench.refusal(of: call, .egress) == .spoofed)
        }
    }

    @Test func `each of a share of flows is found again, and none that is forgotten`() throws {
        let bench = try TestBench()
        let opened = try bench.filter.runFirstPackets(
            Frame.ip(.egress, .v4, 6, Frame.tcp(1000, 80, syn)), count: 10_000)
        #expect(opened.passes)
        func isKnown(_ port: Int) throws -> Bool {
            let answer = Frame.tcp(80, UInt16(port), synAck)
            return try bench.filter.run(
                Frame.ip(.ingress, .v4, 6, answer), .ingress, mark: bench.peerMark
            ).passes
        }
        for port in 1001...11_000 { #expect(try isKnown(port)) }
        #expect(try !isKnown(1000))
        #expect(try !isKnown(11_001))
        try bench.filter.forget(
            .init(
                local: Frame.own[0], localPort: 5000, remote: Frame.peers[0], remotePort: 80,
                ipProtocol: 6), at: bench.endpoint)
        #expect(try !isKnown(5000))
        #expect(try isKnown(5001))
        try bench.filter.sweep()
        #expect(try isKnown(5001))
        try bench.filter.forgetFlows()
        for port in stride(from: 1001, through: 11_000, by: 7) { #expect(try !isKnown(port)) }
    }

    @Test(arguments: families)
    func `the next agent finds the flows of the one before`(_ family: AddressFamily) throws {
        let bench = try TestBench()
        let call = Frame.ip(.egress, family, 6, Frame.tcp(1000, 80, syn))
        #expect(try bench.refusal(of: call, .egress) == nil)
        let next = try bench.successor()
        let answer = Frame.ip(.ingress, family, 6, Frame.tcp(80, 1000, synAck))
        #expect(try next.run(answer, .ingress, mark: bench.peerMark).passes)
        let other = Frame.ip(.ingress, family, 6, Frame.tcp(80, 1001, synAck))
        #expect(try !next.run(other, .ingress, mark: bench.peerMark).passes)
    }
}
