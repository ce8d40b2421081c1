import Linux
import NetTypes
import Policy
import Reports
import Testing

extension KernelTests {
    /// An endpoint is the end of the way; its own machine is its own business.
    @Suite struct ForwardingTests {
        @Test(arguments: AddressFamily.allCases)
        func `an endpoint passes nothing on`(_ family: AddressFamily) async throws {
            try await Rig.withPackets(family) { rig, agent in
                for key in ["ipv4.ip_forward", "ipv6.conf.all.forwarding"] {
                    try await rig.run("sysctl", "-qw", "net.\(key)=1", in: "a1")
                }
                let network = family == .v4 ? "198.51.100.0/24" : "2001:db8::/64"
                let a1 = try rig.address("a1", family).description
                let routed = try await rig.run("ip", "route", "add", network, "via", a1, in: "wild")
                try #require(routed.status == 0, "\(routed.output)")
                let remote = SocketAddress(
                    try #require(IPAddress(family == .v4 ? "198.51.100.9" : "2001:db8::9")),
                    port: 7000)
                let source = try rig.address("wild", family)
                let sniffer = try Sniffer(outOf: "a1", of: rig)
                let sender = try RawSocket.sender(family, in: "wild", of: rig)
                sender.send(
                    Wire.Packet(
                        source: source, destination: remote.address, ipProtocol: 17,
                        payload: Wire.udp(
                            from: SocketAddress(source, port: 30_000), to: remote,
                            Array("passed on".utf8))))
                try await wait(for: "the violation") {
                    await agent.violations().contains { $0.reason == .forwarded }
                }
                // Seen on its way in, and not once more on its way out.
                let seen = try sniffer.packets().filter {
                    String(decoding: $0, as: UTF8.self).hasSuffix("passed on")
                }
                #expect(seen.count == 1)
            }
        }

        @Test(arguments: AddressFamily.allCases)
        func `the own machine is left alone`(_ family: AddressFamily) async throws {
            try await Rig.with(["a1"]) { rig in
                try rig.write(PolicyText.tenant("a"), to: "tenants.yaml")
                try await rig.withAgent { _ in
                    let loopback: IPAddress = family == .v4 ? .v4(0x7f00_0001) : .v6(1)
                    for address in [loopback, try rig.address("a1", family)] {
                        let ping = try await rig.run(
                            "ping", "-c1", "-W2", address.description, in: "a1")
                        #expect(ping.status == 0, "\(ping.output)")
                    }
                }
            }
        }
    }
}
