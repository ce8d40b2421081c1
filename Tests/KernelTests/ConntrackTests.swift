import Glibc
import Linux
import NetTypes
import Policy
import Reports
import Rules
import Testing

extension KernelTests {
    /// What belongs to no flow, to somebody else's, or pretends to.
    @Suite struct ConntrackTests {
        /// A segment's flags, its port at `b1`, and whether it is let in.
        private static let segments: [(flags: UInt8, port: UInt16, isLetIn: Bool)] = [
            (18, 5000, false), (4, 5001, false), (18, 5001, false), (16, 5001, false),
            (2, 5001, false), (41, 5000, false), (0, 5000, false), (2, 5000, true),
        ]

        @Test(arguments: AddressFamily.allCases)
        func `stray segments`(_ family: AddressFamily) async throws {
            try await Rig.withPackets(family) { rig, agent in
                let listener = try RawSocket.listener(family, 6, in: "b1", of: rig)
                let sender = try RawSocket.sender(family, in: "wild", of: rig)
                let source = try rig.address("wild", family)
                let destination = try rig.address("b1", family)
                for (index, segment) in Self.segments.enumerated() {
                    let own = SocketAddress(source, port: 40_000 + UInt16(index))
                    sender.send(
                        Wire.Packet(
                            source: source, destination: destination, ipProtocol: 6,
                            payload: Wire.tcp(
                                from: own, to: SocketAddress(destination, port: segment.port),
                                flags: segment.flags)))
                }
                var ports: Set<UInt16> = []
                try await wait(for: "the allowed segment") {
                    for bytes in try listener.received() {
                        ports.insert(UInt16(networkBytes: bytes.prefix(2)))
                    }
                    return ports.contains(40_000 + UInt16(Self.segments.count - 1))
                }
                for (index, segment) in Self.segments.enumerated() {
                    #expect(
                        ports.contains(40_000 + UInt16(index)) == segment.isLetIn,
                        "flags \(segment.flags) to \(segment.port)")
                }
                try await agent.expectRefusal(.invalid, .ingress, at: "b1")
            }
        }

        @Test(arguments: AddressFamily.allCases)
        func `an admitted flow hears that nobody listens`(_ family: AddressFamily) async throws {
            try await Rig.withPackets(family) { rig, _ in
                let remote = SocketAddress(try rig.address("b1", family), port: 7000)
                let caller = try rig.namespace("a1").run { () throws(SystemError) in
                    try SharedSocket(.udp, family) { (socket) throws(SystemError) in
                        try socket.connect(to: remote)
                    }
                }
                _ = try caller.socket.send([1])
                try await wait(for: "ECONNREFUSED") {
                    try caller.socket.pendingError() == ECONNREFUSED
                }
            }
        }

        /// Errors of the network that quote a flow, true or false, and ask for smaller packets.
        @Test(arguments: AddressFamily.allCases)
        func `errors must quote a flow that is`(_ family: AddressFamily) async throws {
            try await Rig.withPackets(family) { rig, agent in
                let listener = try rig.listener("b1", family, port: 7000)
                let flood = Flood(flows: 1, packetsPerFlow: 1, payload: 8)
                try await flood.send(from: "a1", to: "b1", family, port: 7000, in: rig)
                let hearing = try RawSocket.listener(
                    family, family == .v4 ? 1 : 58, in: "a1", of: rig)
                let sender = try RawSocket.sender(family, in: "wild", of: rig)
                func quote(_ port: UInt16) throws {
                    sender.send(try tooBig(family, rig, quoting: port))
                }
                try quote(20_001)
                try quote(20_000)
                var heard: [UInt16] = []
                try await wait(for: "the error") {
                    let type: UInt8 = family == .v4 ? 3 : 2
                    heard += try hearing.received().filter { $0.first == type }.map {
                        let offset = 8 + (family == .v4 ? 20 : 40)
                        return UInt16(networkBytes: $0[offset..<offset + 2])
                    }
                    return heard.contains(20_000)
                }
                #expect(heard == [20_000])
                try await agent.expectRefusal(.invalid, .ingress, at: "a1")
                _ = listener
            }
        }

        /// Says that what `a1` sent to `b1` from that port was too big.
        private func tooBig(
            _ family: AddressFamily, _ rig: Rig, quoting port: UInt16
        ) throws -> Wire.Packet {
            let wild = try rig.address("wild", family)
            let own = try rig.address("a1", family)
            let remote = SocketAddress(try rig.address("b1", family), port: 7000)
            let quoted = Wire.Packet(
                source: own, destination: remote.address, ipProtocol: 17,
                payload: Wire.udp(
                    from: SocketAddress(own, port: port), to: remote,
                    [UInt8](repeating: 7, count: 8)))
            let message =
                family == .v4
                ? Wire.message(3, 4, from: wild, to: own, [0, 0, 5, 0] + quoted.bytes)
                : Wire.message(2, 0, from: wild, to: own, [0, 0, 5, 0] + quoted.bytes)
            return Wire.Packet(
                source: wild, destination: own, ipProtocol: family == .v4 ? 1 : 58,
                payload: message)
        }

        @Test(arguments: AddressFamily.allCases)
        func `a mark that the tenant sets opens nothing`(_ family: AddressFamily) async throws {
            try await Rig.withPackets(family) { rig, agent in
                let state = try #require(try rig.reading(of: "a1")?.state)
                let mark = try #require(
                    state.rules.entries.first { $0.rule.direction == .egress }?.mark)
                let table = """
                    table inet tenant {
                      chain early { type filter hook output priority -150; ct mark set \(mark); }
                      chain late { type filter hook output priority 100; ct mark set \(mark); }
                    }
                    """
                let made = try await rig.nft(table, in: "a1")
                try #require(made.status == 0, "\(made.output)")
                let sniffer = try Sniffer(outOf: "a1", of: rig)
                let sender = try RawSocket.sender(family, in: "a1", of: rig)
                for number in 0..<3 {
                    let packet = try rig.udp(
                        family, from: "a1", to: "b1", port: 7001, "refused \(number)")
                    #expect(sender.send(packet) == EPERM)
                }
                #expect(
                    sender.send(try rig.udp(family, from: "a1", to: "b1", port: 7000, "end")) == 0)
                let texts = try sniffer.packets().map { String(decoding: $0, as: UTF8.self) }
                #expect(texts.contains { $0.hasSuffix("end") })
                #expect(!texts.contains { $0.contains("refused") })
                try await agent.expectRefusal(.noRule, .egress, at: "a1")
            }
        }

        /// The tenant's own translation: what counts is where the packet goes.
        @Test(arguments: AddressFamily.allCases)
        func `a translated call is judged by the address on the wire`(
            _ family: AddressFamily
        ) async throws {
            try await Rig.withPackets(family) { rig, agent in
                let b1 = try rig.address("b1", family)
                let wild = try rig.address("wild", family)
                let word = family == .v4 ? "ip" : "ip6"
                let service = family == .v4 ? "198.51.100.1" : "2001:db8::1"
                func to(_ address: IPAddress) -> String {
                    family == .v4 ? "\(address):7000" : "[\(address)]:7000"
                }
                let table = """
                    table \(word) tenant {
                      chain nat {
                        type nat hook output priority -100;
                        \(word) daddr \(service) udp dport 80 dnat to \(to(b1))
                        \(word) daddr \(b1) udp dport 7000 udp sport 30001 dnat to \(to(wild))
                      }
                    }
                    """
                let made = try await rig.nft(table, in: "a1")
                try #require(made.status == 0, "\(made.output)")
                let listener = try rig.listener("b1", family, port: 7000)
                let address = try #require(IPAddress(service))
                try await onThread {
                    try rig.namespace("a1").run { () throws(SystemError) in
                        let caller = try InternetSocket(.udp, family)
                        _ = try caller.send([9], to: SocketAddress(address, port: 80))
                    }
                }
                try await wait(for: "the translated packet") {
                    try listener.socket.receive(atMost: 64) == [9]
                }
                // To an admitted address, but on the wire to one that is not.
                try await Flood(flows: 1, packetsPerFlow: 1, payload: 1, firstPort: 30_001)
                    .send(from: "a1", to: "b1", family, port: 7000, in: rig)
                try await agent.expectRefusal(.noRule, .egress, at: "a1")
                #expect(try listener.socket.receive(atMost: 64) == nil)
            }
        }
    }
}
