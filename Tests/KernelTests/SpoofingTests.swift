import Glibc
import NetTypes
import Policy
import Reports
import Testing

extension KernelTests {
    /// Nobody sends under another's address, and nobody outside under the endpoint's own.
    @Suite struct SpoofingTests {
        @Test(arguments: AddressFamily.allCases)
        func `a foreign source does not get out`(_ family: AddressFamily) async throws {
            try await Rig.withPackets(family) { rig, agent in
                let sniffer = try Sniffer(outOf: "a1", of: rig)
                let sender = try RawSocket.sender(family, in: "a1", of: rig)
                let own = try rig.udp(family, from: "a1", to: "b1", port: 7000, "own")
                let foreign = try rig.udp(
                    family, from: "a1", to: "b1", port: 7000, claiming: "wild", "foreign")
                #expect(sender.send(foreign) == EPERM)
                #expect(sender.send(own) == 0)
                try await agent.expectRefusal(.spoofed, .egress, at: "a1")
                let texts = try sniffer.packets().map { String(decoding: $0, as: UTF8.self) }
                #expect(texts.contains { $0.hasSuffix("own") })
                #expect(!texts.contains { $0.hasSuffix("foreign") })
            }
        }

        @Test(arguments: AddressFamily.allCases)
        func `the own source does not get in from outside`(_ family: AddressFamily) async throws {
            try await Rig.withPackets(family) { rig, agent in
                // Otherwise the routing of IPv4 refuses before the table does.
                for key in ["accept_local=1", "rp_filter=0"] {
                    for link in ["all", "eth0"] {
                        try await rig.run("sysctl", "-qw", "net.ipv4.conf.\(link).\(key)", in: "b1")
                    }
                }
                let arrived = try await rig.arrivals(family) { sender in
                    sender.send(
                        try rig.udp(
                            family, from: "wild", to: "b1", port: 7000, claiming: "b1", "own"))
                }
                #expect(arrived == [])
                try await agent.expectRefusal(.spoofed, .ingress, at: "b1")
            }
        }

        @Test(arguments: AddressFamily.allCases)
        func `one endpoint does not pass for another`(_ family: AddressFamily) async throws {
            try await Rig.with(["a1", "b1", "a2"]) { rig in
                try rig.writeTenants()
                try rig.write(PolicyText.policy(PolicyText.udp("7000")), to: "a.yaml")
                try await rig.withAgent { agent in
                    let sender = try RawSocket.sender(family, in: "a2", of: rig)
                    let packet = try rig.udp(
                        family, from: "a2", to: "b1", port: 7000, claiming: "a1", "as a1")
                    #expect(sender.send(packet) == EPERM)
                    try await agent.expectRefusal(.spoofed, .egress, at: "a2")
                }
            }
        }
    }
}
