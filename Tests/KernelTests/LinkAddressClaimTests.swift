import Agent
import Foundation
import Lab
import Linux
import NetTypes
import Reports
import Testing

extension KernelTests {
    /// Who may use a link-layer address, with the host filter.
    @Suite struct LinkAddressClaimTests {
        private static let modes: [HostFilterMode] = [.on, .only]
        private static let text = "02:aa:bb:cc:dd:01"

        private func prepared(
            _ mode: HostFilterMode, _ work: (Rig, RunningAgent) async throws -> Void
        ) async throws {
            try await Rig.with(["a1", "b1", "c1"]) { rig in
                try rig.write(
                    PolicyText.documents(
                        PolicyText.tenant("a"), PolicyText.tenant("b"), PolicyText.tenant("c")),
                    to: "tenants.yaml")
                try rig.write(
                    PolicyText.documents(
                        PolicyText.policy(PolicyText.udp("7000"), from: "{tenant: c}"),
                        PolicyText.policy(
                            "protocol: icmp", name: "ping",
                            from: "{tenant: a}, {tenant: b}, {tenant: c}",
                            to: "{tenant: b}, host")), to: "a.yaml")
                try await rig.withGuards(mode) { agent in try await work(rig, agent) }
            }
        }

        private func ip(_ command: String, in name: String, _ rig: Rig) async throws {
            let words = command.split(separator: " ").map(String.init)
            let done = try await Command(["nsenter", "--net=" + rig.path(name)] + words)
            try #require(done.status == 0, "\(command): \(done.output)")
        }

        private func pings(
            _ address: IPAddress, from name: String, _ rig: Rig
        ) async throws -> Bool {
            try await rig.run("ping", "-c1", "-W1", "\(address)", in: name).status == 0
        }

        private func conflict(
            of name: String, over subject: String = text, _ agent: RunningAgent
        ) async throws -> ConflictStatus {
            var found: ConflictStatus?
            try await wait(for: "a conflict of \(name) over \(subject)") {
                found = await agent.status().conflicts.first {
                    $0.subject == subject && $0.claimants == [name]
                }
                return found != nil
            }
            return try #require(found)
        }

        @Test(arguments: modes)
        func `a spare veth end is no claim`(_ mode: HostFilterMode) async throws {
            try await prepared(mode) { rig, agent in
                try await ip("ip link add v0 type veth peer name v1", in: "a1", rig)
                try await ip("ip link set v0 address \(Self.text)", in: "a1", rig)
                try await ip("ip link set eth0 address \(Self.text)", in: "b1", rig)
                let host = Rig.host(.v4)
                try await wait(for: "b1 to be heard again") {
                    try await pings(host, from: "b1", rig)
                }
                #expect(await agent.status().conflicts.isEmpty)
            }
        }

        @Test(arguments: modes)
        func `who takes a neighbour's address gets nothing by it`(
            _ mode: HostFilterMode
        ) async throws {
            try await prepared(mode) { rig, agent in
                try await ip("ip link set eth0 address \(Self.text)", in: "b1", rig)
                let b1 = try rig.address("b1", .v4)
                try await wait(for: "b1 to be heard") { try await pings(b1, from: "c1", rig) }
                try await ip("ip link set eth0 address \(Self.text)", in: "a1", rig)
                #expect(try await conflict(of: "a1", agent).keeper == "b1")
                #expect(try await pings(b1, from: "c1", rig))
            }
        }

        @Test(arguments: modes)
        func `a router keeps its address`(_ mode: HostFilterMode) async throws {
            try await prepared(mode) { rig, agent in
                let path = rig.folder + "/beyond"
                try NetworkNamespace.temporary().mount(at: path)
                defer { try? NetworkNamespace.unmount(at: path) }
                try await ip(
                    "ip link add up0 type veth peer name out0 netns \(path)", in: "host", rig)
                try await ip("ip link set up0 master lab up", in: "host", rig)
                for command in [
                    "ip link set out0 address \(Self.text)", "ip link set out0 up",
                    "ip addr add \(Rig.address(250, .v4))/16 dev out0",
                    "ping -c1 -W1 \(Rig.host(.v4))",
                ] {
                    let words = command.split(separator: " ").map(String.init)
                    let done = try await Command(["nsenter", "--net=" + path] + words)
                    try #require(done.status == 0, "\(command): \(done.output)")
                }
                try await ip("ip link set eth0 address \(Self.text)", in: "a1", rig)
                #expect(try await conflict(of: "a1", agent).keeper == "a device on the link")
                // It says so to all others, and the bridge learns nothing.
                _ = try await rig.run("ping", "-c3", "-i0.2", "-W1", "\(Rig.host(.v4))", in: "a1")
                let known = try await Command([
                    "nsenter", "--net=" + rig.path("host"), "bridge", "fdb", "show", "br", "lab",
                ])
                let lines = known.output.split(separator: "\n").filter { $0.hasPrefix(Self.text) }
                #expect(lines.allSatisfy { $0.contains("dev up0") })
                #expect(!lines.isEmpty)
            }
        }

        @Test(arguments: modes)
        func `a newcomer gets the address that the host made it with`(
            _ mode: HostFilterMode
        ) async throws {
            try await prepared(mode) { rig, agent in
                try await ip("ip link set eth0 address \(Self.text)", in: "a1", rig)
                try await wait(for: "a1 to be heard with its new address") {
                    try await pings(Rig.host(.v4), from: "a1", rig)
                }
                let path = rig.lab.namespaceFolder + "/b2"
                try NetworkNamespace.temporary().mount(at: path)
                defer { try? NetworkNamespace.unmount(at: path) }
                try await ip(
                    "ip link add rf-b2 type veth peer name eth0 address \(Self.text) netns \(path)",
                    in: "host", rig)
                try await ip("ip link set rf-b2 master lab up", in: "host", rig)
                let local = Rig.address(77, .v4)
                for command in [
                    "ip link set eth0 up", "ip addr add \(local)/16 dev eth0",
                ] {
                    let words = command.split(separator: " ").map(String.init)
                    let done = try await Command(["nsenter", "--net=" + path] + words)
                    try #require(done.status == 0, "\(command): \(done.output)")
                }
                #expect(try await conflict(of: "a1", agent).keeper == "b2")
                try await wait(for: "b2 to be heard") {
                    try await Command([
                        "nsenter", "--net=" + path, "ping", "-c1", "-W1", "\(Rig.host(.v4))",
                    ]).status == 0
                }
            }
        }
    }
}
