import Glibc
import Linux
import NetTypes
import Policy
import Reports
import Testing

extension KernelTests {
    /// What networks need to work, and what only routers may say.
    @Suite struct ControlMessageTests {
        private static let everyone = IPAddress.v6(UInt128(0xff02) << 112 | 1)
        private static let listenerRouters = IPAddress.v6(UInt128(0xff02) << 112 | 0x16)

        @Test func `neighbours are found without any rule`() async throws {
            try await Rig.with(["b1", "wild"]) { rig in
                try rig.write(PolicyText.tenant("b"), to: "tenants.yaml")
                try await rig.withAgent { _ in
                    for family in AddressFamily.allCases {
                        let flood = Flood(flows: 1, packetsPerFlow: 1, payload: 1)
                        try await flood.send(from: "wild", to: "b1", family, port: 7000, in: rig)
                        let address = try rig.address("b1", family)
                        try await wait(for: "the neighbour \(address)") {
                            let found = try await rig.run(
                                "ip", "neigh", "show", "to", "\(address)", in: "wild")
                            return found.output.contains("REACHABLE")
                                || found.output.contains("DELAY")
                        }
                    }
                }
            }
        }

        @Test(arguments: AddressFamily.allCases)
        func `a ping needs its rule and no more`(_ family: AddressFamily) async throws {
            let service = family == .v4 ? "protocol: icmp" : "protocol: icmpv6"
            try await Rig.with { rig in
                try rig.writeTenants()
                try await rig.withAgent { agent in
                    let target = try rig.address("b1", family).description
                    let refused = try await rig.run("ping", "-c1", "-W1", target, in: "a1")
                    #expect(refused.status != 0)
                    try await agent.change {
                        try rig.write(
                            PolicyText.policy("\(service), types: [echo-request]"), to: "a.yaml")
                    }
                    let answered = try await rig.run(
                        "ping", "-c2", "-i0.2", "-W2", target, in: "a1")
                    #expect(answered.status == 0, "\(answered.output)")
                    let back = try rig.address("a1", family).description
                    #expect(try await rig.run("ping", "-c1", "-W1", back, in: "b1").status != 0)
                }
            }
        }

        /// A message's type, its hop limit, where it goes, and whether an endpoint may send it.
        private static let sent: [(type: UInt8, hopLimit: UInt8, to: IPAddress, isAllowed: Bool)] =
            [
                (133, 255, everyone, true), (134, 255, everyone, false),
                (137, 255, everyone, false),
                (135, 255, everyone, true), (135, 64, everyone, false), (136, 255, everyone, true),
                (143, 1, listenerRouters, true), (143, 64, listenerRouters, false),
                (130, 1, everyone, false), (131, 1, everyone, true), (132, 1, everyone, true),
                (128, 64, everyone, false), (151, 1, everyone, false),
            ]

        @Test func `what an endpoint may say to its link`() async throws {
            try await Rig.withPackets(.v6) { rig, _ in
                let sender = try RawSocket.sender(.v6, in: "a1", of: rig)
                let own = try rig.address("a1", .v6)
                for (type, hopLimit, destination, isAllowed) in Self.sent {
                    for extensions in type == 143 ? [[], [0]] : [[]] as [[UInt8]] {
                        let body = [UInt8](repeating: 0, count: 20)
                        let packet = Wire.Packet(
                            source: own, destination: destination, ipProtocol: 58,
                            payload: Wire.message(type, from: own, to: destination, body),
                            hopLimit: hopLimit, extensions: extensions)
                        #expect(
                            sender.send(packet) == (isAllowed ? 0 : EPERM),
                            "type \(type), hop limit \(hopLimit), \(extensions)")
                    }
                }
            }
        }

        /// A message's type, its hop limit, and whether an endpoint hears it.
        private static let heard: [(type: UInt8, hopLimit: UInt8, isHeard: Bool)] = [
            (134, 255, true), (134, 64, false), (137, 255, false), (133, 255, false),
            (135, 255, true), (136, 255, true), (136, 64, false), (130, 1, true), (130, 64, false),
            (143, 1, false), (128, 64, false), (129, 64, false), (151, 1, false),
        ]

        @Test func `what an endpoint hears from its link`() async throws {
            try await Rig.withPackets(.v6) { rig, _ in
                let listener = try RawSocket.listener(.v6, 58, in: "b1", of: rig)
                let sender = try RawSocket.sender(.v6, in: "wild", of: rig)
                let source = try rig.address("wild", .v6)
                let destination = try rig.address("b1", .v6)
                func send(_ type: UInt8, _ hopLimit: UInt8, _ number: UInt8) {
                    let body = [UInt8](repeating: number, count: 20)
                    sender.send(
                        Wire.Packet(
                            source: source, destination: destination, ipProtocol: 58,
                            payload: Wire.message(type, from: source, to: destination, body),
                            hopLimit: hopLimit))
                }
                for (index, item) in Self.heard.enumerated() {
                    send(item.type, item.hopLimit, UInt8(index + 1))
                }
                send(136, 255, 0xee)
                var found: [[UInt8]] = []
                try await wait(for: "the last message") {
                    found += try listener.received()
                    return found.contains { $0.last == 0xee }
                }
                for (index, item) in Self.heard.enumerated() {
                    let isHeard = found.contains {
                        $0.last == UInt8(index + 1) && $0.first == item.type
                    }
                    #expect(
                        isHeard == item.isHeard, "type \(item.type), hop limit \(item.hopLimit)")
                }
            }
        }

        @Test(arguments: AddressFamily.allCases)
        func `groups need a rule that names them`(_ family: AddressFamily) async throws {
            let group = family == .v4 ? IPAddress.v4(0xef01_0203) : .v6(UInt128(0xff0e) << 112 | 9)
            let all = PolicyText.policy(
                "protocol: any", name: "all", from: "{tenant: a}", to: "{tenants: all}")
            try await Rig.withPackets(family, more: all) { rig, agent in
                let sender = try RawSocket.sender(family, in: "a1", of: rig)
                let own = try rig.address("a1", family)
                func send(to destination: IPAddress) -> CInt {
                    sender.send(
                        Wire.Packet(
                            source: own, destination: destination, ipProtocol: 17,
                            payload: Wire.udp(
                                from: SocketAddress(own, port: 30_000),
                                to: SocketAddress(destination, port: 7000), [1, 2])))
                }
                #expect(send(to: group) == EPERM)
                if family == .v4 {
                    #expect(send(to: .v4(.max)) == EPERM)
                    #expect(send(to: .v4(0x0a4d_ffff)) == EPERM)
                }
                try await agent.change {
                    try rig.write(
                        PolicyText.policy(
                            "protocol: any", name: "world", from: "{tenant: a}", to: "world"),
                        to: "world.yaml")
                }
                #expect(send(to: group) == EPERM)
                if family == .v4 { #expect(send(to: .v4(.max)) == EPERM) }
                try await agent.change {
                    try rig.write(
                        PolicyText.policy(
                            "protocol: any", name: "group", from: "{tenant: a}",
                            to: "{cidr: \"\(group)\"}"), to: "group.yaml")
                }
                #expect(send(to: group) == 0)
            }
        }
    }
}
