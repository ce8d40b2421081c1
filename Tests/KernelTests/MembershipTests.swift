import Agent
import Glibc
import Linux
import NetTypes
import Reports
import Testing

extension KernelTests {
    /// IGMP is to IPv4 what MLD is to IPv6: reports leave an endpoint and queries reach it without a rule.
    @Suite struct MembershipTests {
        private static let group = "239.1.2.3"
        private static let allSystems = IPAddress.v4(0xe000_0001)
        private static let allRouters = IPAddress.v4(0xe000_0002)
        private static let modes: [HostFilterMode] = [.off, .on, .only]

        private static func message(_ type: UInt8, group: UInt32 = 0) -> [UInt8] {
            let bytes = UInt32(group).networkBytes
            let sum = Wire.complement(of: [type, 0, 0, 0] + bytes)
            return [type, 0] + sum.networkBytes + bytes
        }

        /// Joins the group in `a1`, leaves it and joins it again, until the bridge knows that port as a member.
        private func join(_ rig: Rig, _ comment: Comment) async throws {
            let member = try await rig.run(
                "python3", "-c",
                """
                import socket, struct, subprocess, time
                s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                number = struct.pack("=i", socket.if_nametoindex("eth0"))
                request = socket.inet_aton("\(Self.group)") + bytes(4) + number
                for option in (socket.IP_ADD_MEMBERSHIP, socket.IP_DROP_MEMBERSHIP,
                               socket.IP_ADD_MEMBERSHIP):
                    s.setsockopt(socket.IPPROTO_IP, option, request)
                show = ["nsenter", "--net=\(try rig.path("host"))", "bridge", "mdb", "show"]
                end = time.monotonic() + 20
                while b"grp \(Self.group) " not in subprocess.check_output(show):
                    if time.monotonic() > end:
                        raise SystemExit("the bridge knows no member")
                    time.sleep(0.05)
                """, in: "a1")
            #expect(member.status == 0, "\(comment): \(member.output)")
        }

        private static func packet(
            _ type: UInt8, from source: IPAddress, to destination: IPAddress, hopLimit: UInt8 = 1
        ) -> Wire.Packet {
            Wire.Packet(
                source: source, destination: destination, ipProtocol: 2, payload: message(type),
                hopLimit: hopLimit)
        }

        @Test(arguments: modes, [1, 2, 3])
        func `a bridge learns of a membership, and nothing is refused`(
            _ mode: HostFilterMode, version: Int
        ) async throws {
            try await Rig.with(["a1", "b1"]) { rig in
                try rig.writeTenants()
                try await rig.run(
                    "sysctl", "-qw", "net.ipv4.conf.eth0.force_igmp_version=\(version)", in: "a1")
                try await rig.withGuards(mode) { agent in
                    try await join(rig, "own address")
                    let found = await agent.violations().filter { $0.ipProtocol.rawValue == 2 }
                    #expect(found.isEmpty, "\(found)")
                }
            }
        }

        /// RFC 3376, 4.2.13: a system that has no address yet reports from 0.0.0.0.
        @Test(arguments: modes)
        func `a bridge learns of a membership without an address`(
            _ mode: HostFilterMode
        ) async throws {
            try await Rig.with(["a1", "b1"]) { rig in
                try rig.writeTenants()
                try await rig.withGuards(mode) { agent in
                    try await agent.change {
                        try await rig.run("ip", "-4", "addr", "flush", "dev", "eth0", in: "a1")
                    }
                    try await join(rig, "no address")
                    let found = await agent.violations().filter { $0.ipProtocol.rawValue == 2 }
                    #expect(found.isEmpty, "\(found)")
                }
            }
        }

        /// A message's type, its hop limit, where it goes, and whether an endpoint may send it.
        private static let sent: [(type: UInt8, hopLimit: UInt8, to: IPAddress?, isAllowed: Bool)] =
            [
                (0x12, 1, allRouters, true), (0x16, 1, allRouters, true),
                (0x17, 1, allRouters, true), (0x22, 1, allRouters, true),
                (0x11, 1, allSystems, false), (0x13, 1, allRouters, false),
                (0x14, 1, allRouters, false), (0x1e, 1, allRouters, false),
                (0x16, 2, allRouters, false), (0x22, 64, allRouters, false),
                (0x16, 1, nil, false), (0x22, 1, .v4(.max), false),
            ]

        @Test func `which membership messages an endpoint may send`() async throws {
            try await Rig.withPackets(.v4) { rig, _ in
                let sender = try RawSocket.sender(.v4, in: "a1", of: rig)
                let own = try rig.address("a1", .v4), peer = try rig.address("b1", .v4)
                for (type, hopLimit, target, isAllowed) in Self.sent {
                    let packet = Self.packet(
                        type, from: own, to: target ?? peer, hopLimit: hopLimit)
                    #expect(
                        sender.send(packet) == (isAllowed ? 0 : EPERM),
                        "type \(type), hop limit \(hopLimit)")
                }
                for type in [0x11, 0x12, 0x16, 0x17, 0x22] as [UInt8] {
                    let packet = Self.packet(type, from: peer, to: Self.allRouters)
                    #expect(sender.send(packet) == EPERM, "type \(type) of another address")
                }
            }
        }

        /// A message's type, its hop limit, and whether an endpoint hears it.
        private static let heard: [(type: UInt8, hopLimit: UInt8, isHeard: Bool)] = [
            (0x11, 1, true), (0x11, 2, false), (0x12, 1, false), (0x16, 1, false),
            (0x17, 1, false), (0x22, 1, false), (0x13, 1, false),
        ]

        @Test func `which membership messages reach an endpoint`() async throws {
            try await Rig.withPackets(.v4) { rig, agent in
                let listener = try RawSocket.listener(.v4, 2, in: "b1", of: rig)
                let sender = try RawSocket.sender(.v4, in: "wild", of: rig)
                let source = try rig.address("wild", .v4)
                for (type, hopLimit, _) in Self.heard {
                    sender.send(
                        Self.packet(type, from: source, to: Self.allSystems, hopLimit: hopLimit))
                }
                sender.send(
                    Wire.Packet(
                        source: source, destination: Self.allSystems, ipProtocol: 2,
                        payload: Self.message(0x11, group: 0xef01_0101), hopLimit: 1))
                var found: [[UInt8]] = []
                try await wait(for: "the last message") {
                    found += try listener.received()
                    return found.contains { $0.last == 1 }
                }
                #expect(found.map { $0[0] } == [0x11, 0x11])
                // A query with another hop limit, and DVMRP: one flow at each of the two endpoints. Reports
                // are for routers, no attempt on an endpoint.
                try await wait(for: "the refused flows") {
                    await agent.violations().filter { $0.ipProtocol.rawValue == 2 }.count == 2
                }
                let rows = await agent.violations().filter { $0.ipProtocol.rawValue == 2 }
                #expect(
                    rows.allSatisfy { $0.packets == 2 && $0.source.address == source }, "\(rows)")
            }
        }
    }
}
