import Agent
import Foundation
import Glibc
import Lab
import Linux
import NetTypes
import Reports
import Rules
import Testing

extension KernelTests {
    /// A tenant's root takes addresses and link-layer addresses; nothing changes for the others.
    @Suite struct ClaimTests {
        private static let modes: [HostFilterMode] = [.off, .on, .only]

        /// Waits until a conflict is told, and gives it.
        private func conflict(
            over subject: String, of name: String, _ agent: RunningAgent
        ) async throws -> ConflictStatus {
            var found: ConflictStatus?
            try await wait(for: "a conflict over \(subject) of \(name)") {
                found = await agent.status().conflicts.first {
                    $0.subject == subject && $0.claimants == [name]
                }
                return found != nil
            }
            return try #require(found)
        }

        /// A machine beyond the host, at 203.0.113.77, and 2001:db8::77.
        private func beyond(_ rig: Rig) async throws -> String {
            let path = rig.folder + "/beyond"
            try NetworkNamespace.temporary().mount(at: path)
            for command in [
                "ip link add up0 type veth peer name out0 netns \(path)", "ip link set up0 up",
                "ip addr add 203.0.113.1/24 dev up0", "ip addr add 2001:db8::1/64 dev up0 nodad",
                // What it asks neighbours with for others (`ndisc_send_ns` in net/ipv6/ndisc.c).
                "ip addr add fe80::1/64 dev up0 nodad",
            ] {
                let words = command.split(separator: " ").map(String.init)
                let done = try await Command(
                    ["nsenter", "--net=" + rig.path("host")] + words)
                try #require(done.status == 0, "\(done.output)")
            }
            for command in [
                "ip link set out0 up", "ip addr add 203.0.113.77/24 dev out0",
                "ip addr add 2001:db8::77/64 dev out0 nodad",
                "ip route add default via 203.0.113.1", "ip route add default via 2001:db8::1",
            ] {
                let words = command.split(separator: " ").map(String.init)
                let done = try await Command(["nsenter", "--net=" + path] + words)
                try #require(done.status == 0, "\(done.output)")
            }
            return path
        }

        private func pings(
            _ address: IPAddress, from name: String, _ rig: Rig
        ) async throws -> Bool {
            try await rig.run("ping", "-c1", "-W1", "\(address)", in: name).status == 0
        }

        @Test(arguments: modes)
        func `an address of the world stays the world's`(_ mode: HostFilterMode) async throws {
            try await Rig.with(["a1", "b1"], fabric: .routed) { rig in
                try rig.writeTenants()
                try rig.write(
                    PolicyText.policy(
                        "protocol: icmp", "protocol: icmpv6", from: "{tenant: b}", to: "world"),
                    to: "a.yaml")
                let path = try await beyond(rig)
                defer { try? NetworkNamespace.unmount(at: path) }
                try await rig.withGuards(mode) { agent in
                    for (text, length) in [("203.0.113.77", 32), ("2001:db8::77", 128)] {
                        let address = try #require(IPAddress(text))
                        try await wait(for: "\(text) to answer") {
                            try await pings(address, from: "b1", rig)
                        }
                        // On the loopback device first, then on the link as well.
                        for index: Int32 in [1, 2] {
                            try rig.routes(of: "a1").add(address, length, index: index)
                            let conflict = try await conflict(over: text, of: "a1", agent)
                            #expect(conflict.message.contains("no route"))
                            #expect(try await pings(address, from: "b1", rig), "\(text) \(index)")
                        }
                    }
                    let states = await agent.status().endpoints.map { "\($0.name) \($0.state)" }
                    #expect(mode == .only || states == ["a1 conflict", "b1 enforced"])
                }
            }
        }

        @Test(arguments: modes, AddressFamily.allCases)
        func `the host keeps its address`(
            _ mode: HostFilterMode, _ family: AddressFamily
        ) async throws {
            try await Rig.with(["a1", "b1"]) { rig in
                try rig.writeTenants()
                try rig.write(
                    PolicyText.policy(
                        "protocol: icmp", "protocol: icmpv6", from: "{tenant: b}", to: "host"),
                    to: "a.yaml")
                try await rig.withGuards(mode) { agent in
                    let address = Rig.host(family)
                    try await wait(for: "the host to answer") {
                        try await pings(address, from: "b1", rig)
                    }
                    try rig.routes(of: "a1").add(address, family == .v4 ? 32 : 128, index: 1)
                    let conflict = try await conflict(over: "\(address)", of: "a1", agent)
                    #expect(conflict.keeper == "host")
                    #expect(try await pings(address, from: "b1", rig))
                }
            }
        }

        /// What a1 flaps is b1's: b1 hears nothing of it, and neither does who talks to b1.
        @Test(arguments: modes, AddressFamily.allCases)
        func `an address that is flapped costs its keeper no packet`(
            _ mode: HostFilterMode, _ family: AddressFamily
        ) async throws {
            try await Rig.with(["a1", "b1", "c1"]) { rig in
                try rig.write(
                    PolicyText.documents(
                        PolicyText.tenant("a"), PolicyText.tenant("b"), PolicyText.tenant("c")),
                    to: "tenants.yaml")
                try rig.write(
                    PolicyText.policy(PolicyText.udp("7000"), from: "{tenant: c}"), to: "a.yaml")
                try await rig.withGuards(mode) { agent in
                    let b1 = try rig.address("b1", family)
                    let stream = try NumberedStream(
                        from: "c1", to: "b1", family, port: 7000, in: rig)
                    try await letTrafficFlow()
                    let a1 = try rig.routes(of: "a1")
                    for _ in 0..<100 {
                        try a1.add(b1, family == .v4 ? 32 : 128, index: 1)
                        try await Task.sleep(for: .milliseconds(2))
                        try a1.remove(b1, family == .v4 ? 32 : 128, index: 1)
                    }
                    try a1.add(b1, family == .v4 ? 32 : 128, index: 1)
                    let conflict = try await conflict(over: "\(b1)", of: "a1", agent)
                    #expect(conflict.keeper == "b1")
                    let record = try await stream.finish()
                    #expect(record.lost(0...) == [])
                    #expect(record.sent.count > 500)
                }
            }
        }

        @Test func `who was first is known after a restart, whatever the last agent knew`()
            async throws
        {
            try await Rig.with(["a1", "b1", "c1"]) { rig in
                try rig.write(
                    PolicyText.documents(
                        PolicyText.tenant("a"), PolicyText.tenant("b"), PolicyText.tenant("c")),
                    to: "tenants.yaml")
                try rig.write(
                    PolicyText.policy(PolicyText.udp("7000"), from: "{tenant: c}"), to: "a.yaml")
                let b1 = try rig.address("b1", .v4)
                try await rig.withAgent { agent in
                    try rig.routes(of: "a1").add(b1, 32, index: 1)
                    _ = try await conflict(over: "\(b1)", of: "a1", agent)
                }
                for keepsState in [true, false] {
                    if !keepsState { try FileManager.default.removeItem(atPath: rig.state) }
                    try await expectKeeper(of: b1, rig)
                    try await wait(for: "the tables to be nobody's") {
                        try rig.topology.namespaces.allSatisfy {
                            try rig.reading(of: $0.name)?.owner == nil
                        }
                    }
                }
            }
        }

        /// Starts an agent that is to find that b1 keeps its address.
        private func expectKeeper(of address: IPAddress, _ rig: Rig) async throws {
            let agent = try RunningAgent(rig)
            let conflict = try await conflict(over: "\(address)", of: "a1", agent)
            #expect(conflict.keeper == "b1")
            let listed = await agent.status().endpoints.filter { $0.addresses.contains(address) }
            #expect(listed.map(\.name) == ["b1"])
            try await agent.stop()
        }

        @Test func `the newest of too many addresses are refused`() async throws {
            try await Rig.with(["a1", "b1"]) { rig in
                try rig.writeTenants()
                try rig.write(PolicyText.policy(PolicyText.udp("7000")), to: "a.yaml")
                try await rig.withAgent { agent in
                    let stream = try NumberedStream(from: "a1", to: "b1", .v6, port: 7000, in: rig)
                    try await letTrafficFlow()
                    let routes = try rig.routes(of: "a1")
                    for number in 100..<170 { try routes.add(Rig.address(number, .v4), 16) }
                    let conflict = try await conflict(over: "a1", of: "a1", agent)
                    #expect(conflict.message.contains("\(Rig.address(168, .v4)) and 1 more"))
                    #expect(!conflict.message.contains("\(try rig.address("a1", .v6))"))
                    try await letTrafficFlow()
                    let record = try await stream.finish()
                    #expect(record.lost(0...) == [])
                    let addresses = await agent.status().endpoints.first?.addresses ?? []
                    #expect(addresses.count == 64)
                }
            }
        }
    }
}
