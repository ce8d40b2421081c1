import Agent
import Linux
import NetTypes
import Reports
import Testing

extension KernelTests {
    /// What a device does with a packet after the host filter has judged it.
    @Suite struct OffloadTests {
        private static let port: UInt16 = 7000

        /// Where a checksum is pending from the start of the transport header, and whether the packet may pass.
        private static let places: [(start: Int, offset: UInt16, passes: Bool)] = [
            (0, 6, true),
            // Ports and length, and what stands before: addresses, hop limit, the IP checksum.
            (0, 2, false), (0, 0, false), (0, 4, false), (0, 1, false), (0, 5, false),
            (-4, 0, false), (-8, 0, false), (-12, 2, false), (-14, 0, false), (-14, 20, false),
            // What a tunnel would have inside.
            (0, 8, true), (8, 0, true), (12, 16, true),
        ]

        @Test(arguments: AddressFamily.allCases)
        func `a pending checksum changes nothing that was judged`(
            _ family: AddressFamily
        ) async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                try rig.write(PolicyText.policy(PolicyText.udp("\(Self.port)")), to: "a.yaml")
                try await rig.withGuards(.only) { agent in
                    let listener = try rig.listener("b1", family, port: Self.port)
                    let link = try LinkSocket(in: "a1", of: rig, offloads: true)
                    let header = try await Self.header(family, in: rig)
                    let transport = UInt16(family == .v4 ? 34 : 54)
                    for (index, place) in Self.places.enumerated() {
                        let frame = try Self.frame(family, header, UInt8(index), in: rig)
                        let start = UInt16(Int(transport) + place.start)
                        try link.send(frame, .init(checksum: (start, place.offset)))
                    }
                    try link.send(
                        try Self.frame(family, header, 0xee, in: rig),
                        .init(checksum: (transport, 6)))
                    var found: Set<UInt8> = []
                    try await wait(for: "the last packet") {
                        while let bytes = try listener.socket.receive(atMost: 2048) {
                            if let number = bytes.first { found.insert(number) }
                        }
                        return found.contains(0xee)
                    }
                    for (index, place) in Self.places.enumerated() {
                        #expect(
                            found.contains(UInt8(index)) == place.passes,
                            "a checksum at \(place.start) + \(place.offset)")
                    }
                    try await agent.expectRefusal(.malformed, .egress, at: "a1")
                }
            }
        }

        /// Both ends' MACs and the EtherType.
        private static func header(_ family: AddressFamily, in rig: Rig) async throws -> [UInt8] {
            try await rig.hardwareAddress("b1") + rig.hardwareAddress("a1")
                + (family == .v4 ? [8, 0] : [0x86, 0xdd])
        }

        /// A datagram that begins with its number and is long enough for a header inside.
        private static func frame(
            _ family: AddressFamily, _ header: [UInt8], _ number: UInt8, in rig: Rig
        ) throws -> [UInt8] {
            let (source, destination) = try (rig.address("a1", family), rig.address("b1", family))
            let text = [number] + [UInt8](repeating: 0x2e, count: 63)
            var packet = Wire.Packet(
                source: source, destination: destination, ipProtocol: 17,
                payload: Wire.udp(
                    from: SocketAddress(source, port: 30_000),
                    to: SocketAddress(destination, port: port), text)
            ).bytes
            if family == .v4 {
                let sum = Wire.complement(of: Array(packet.prefix(20)))
                packet.replaceSubrange(10..<12, with: sum.networkBytes)
            }
            return header + packet
        }

        /// What the kernel is to cut passes as it is, its checksum pending in each segment.
        @Test(arguments: AddressFamily.allCases)
        func `segments that are put together pass`(_ family: AddressFamily) async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                try rig.write(PolicyText.policy(PolicyText.udp("\(Self.port)")), to: "a.yaml")
                try await rig.withGuards(.only) { _ in
                    let listener = try rig.listener("b1", family, port: Self.port)
                    let link = try LinkSocket(in: "a1", of: rig, offloads: true)
                    let header = try await Self.header(family, in: rig)
                    let transport: UInt16 = family == .v4 ? 34 : 54
                    // VIRTIO_NET_HDR_GSO_UDP_L4: two segments.
                    try link.send(
                        try Self.frame(family, header, 1, in: rig),
                        .init(checksum: (transport, 6), segments: (5, transport + 8, 32)))
                    var count = 0
                    try await wait(for: "both segments") {
                        while try listener.socket.receive(atMost: 2048)?.count == 32 { count += 1 }
                        return count == 2
                    }
                }
            }
        }
    }
}
