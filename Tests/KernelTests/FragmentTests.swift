import Linux
import NetTypes
import Policy
import Reports
import Testing

extension KernelTests {
    /// Packets whose ports stand further back than usual, or nowhere.
    @Suite struct FragmentTests {
        /// A datagram of 48 bytes in three fragments.
        private func fragments(
            _ rig: Rig, _ family: AddressFamily, port: UInt16, _ text: String, id: UInt16
        ) throws -> [Wire.Packet] {
            let padded = text.padding(16) + String(repeating: ".", count: 24)
            let whole = try rig.udp(family, from: "wild", to: "b1", port: port, padded)
            return stride(from: 0, to: whole.payload.count, by: 16).map { offset in
                var part = whole
                part.payload = Array(whole.payload[offset..<min(offset + 16, whole.payload.count)])
                part.fragment = (id, offset, offset + 16 < whole.payload.count)
                return part
            }
        }

        @Test(arguments: AddressFamily.allCases)
        func `a datagram is judged as a whole`(_ family: AddressFamily) async throws {
            try await Rig.withPackets(family) { rig, _ in
                let arrived = try await rig.arrivals(family) { sender in
                    for part in try fragments(rig, family, port: 7001, "refused", id: 1) {
                        sender.send(part)
                    }
                    for part in try fragments(rig, family, port: 7000, "allowed", id: 2) {
                        sender.send(part)
                    }
                    for part in try fragments(rig, family, port: 7000, "reversed", id: 3).reversed()
                    {
                        sender.send(part)
                    }
                    // Without their firsts.
                    for part in try fragments(rig, family, port: 7000, "headless", id: 4)
                        .dropFirst()
                    {
                        sender.send(part)
                    }
                    for part in try fragments(rig, family, port: 7000, "tailless", id: 5).dropLast()
                    {
                        sender.send(part)
                    }
                }
                #expect(arrived.map { $0.filter(\.isLetter) } == ["allowed", "reversed"])
            }
        }

        @Test(arguments: AddressFamily.allCases)
        func `a large datagram of an endpoint gets through`(_ family: AddressFamily) async throws {
            try await Rig.withPackets(family) { rig, agent in
                let listener = try rig.listener("b1", family, port: 7000)
                let flood = Flood(flows: 3, packetsPerFlow: 5, payload: 20_000)
                try await flood.send(from: "a1", to: "b1", family, port: 7000, in: rig)
                var count = 0
                try await wait(for: "all datagrams") {
                    while let bytes = try listener.socket.receive(atMost: 65_536) {
                        count += bytes.count == 20_000 ? 1 : 0
                    }
                    return count == 15
                }
                try await flood.send(from: "a1", to: "b1", family, port: 7001, in: rig)
                try await agent.expectRefusal(.noRule, .egress, at: "a1")
            }
        }

        @Test(
            arguments: [[0], [60], [0, 60], [43], [0, 60, 60]] as [[UInt8]]
        )
        func `extension headers hide no port`(_ extensions: [UInt8]) async throws {
            try await Rig.withPackets(.v6) { rig, _ in
                let arrived = try await rig.arrivals(.v6) { sender in
                    for (port, text) in [(7001, "refused"), (7000, "allowed")] as [(UInt16, String)]
                    {
                        var packet = try rig.udp(.v6, from: "wild", to: "b1", port: port, text)
                        packet.extensions = extensions
                        sender.send(packet)
                    }
                }
                #expect(arrived == ["allowed"])
            }
        }

        /// Conntrack doesn't put fragments behind destination options together again, with any
        /// table whatever, so nothing of them gets in.
        @Test(arguments: [[0], [60], [0, 60]] as [[UInt8]])
        func `fragments behind extension headers`(_ extensions: [UInt8]) async throws {
            try await Rig.withPackets(.v6) { rig, _ in
                let arrived = try await rig.arrivals(.v6) { sender in
                    for (port, text) in [(7001, "refused"), (7000, "allowed")] as [(UInt16, String)]
                    {
                        for var part in try fragments(rig, .v6, port: port, text, id: port) {
                            part.extensions = extensions
                            sender.send(part)
                        }
                    }
                }
                let expected = extensions == [0] ? ["allowed"] : []
                #expect(arrived.map { $0.filter(\.isLetter) } == expected)
            }
        }
    }
}

extension String {
    fileprivate func padding(_ count: Int) -> String {
        self + String(repeating: ".", count: max(0, count - utf8.count))
    }
}
