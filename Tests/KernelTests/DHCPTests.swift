import Agent
import Linux
import NetTypes
import Reports
import Testing

extension KernelTests {
    /// An endpoint without an address asks for one, and the servers that its tenant names answer.
    @Suite struct DHCPTests {
        private static let modes: [HostFilterMode] = [.off, .on, .only]

        /// What the client of `a1` got; the server stands in a namespace, and answers from a port.
        private func lease(
            _ rig: Rig, from server: String, port: UInt16 = 67,
            to target: String = "255.255.255.255",
            device: String = "eth0"
        ) async throws -> (asked: Bool, answered: Bool) {
            // Both run in one process, so that no pause decides who listens first.
            let script = """
                import ctypes, os, socket, sys
                libc = ctypes.CDLL(None, use_errno=True)
                def enter(path):
                    with open(path) as file:
                        if libc.setns(file.fileno(), 0x40000000):
                            raise OSError(ctypes.get_errno(), path)
                def bound(path, port, device):
                    enter(path)
                    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
                    s.setsockopt(socket.SOL_SOCKET, 25, device.encode())
                    s.bind(("0.0.0.0", port))
                    s.settimeout(1)
                    return s
                client = bound("\(try rig.path("a1"))", 68, "eth0")
                server = bound("\(try rig.path(server))", 67, "\(device)")
                speaker = server if \(port) == 67 else bound("\(try rig.path(server))", \(port), "\(device)")
                asked = answered = 0
                try:
                    client.sendto(b"discover", ("255.255.255.255", 67))
                    asked = int(server.recv(64) == b"discover")
                except (PermissionError, socket.timeout):
                    pass
                try:
                    speaker.sendto(b"offer", ("\(target)", 68))
                    answered = int(client.recv(64) == b"offer")
                except (PermissionError, socket.timeout):
                    pass
                print("asked", asked, "answered", answered)
                """
            let run = try await rig.run("python3", "-c", script, in: "host")
            #expect(run.status == 0, "\(run.output)")
            return (run.output.contains("asked 1"), run.output.contains("answered 1"))
        }

        /// `a1` without an IPv4 address, `b1` as it is, and `wild` beside them.
        private func with(
            _ dhcp: String, _ mode: HostFilterMode, _ work: (Rig, RunningAgent) async throws -> Void
        ) async throws {
            try await Rig.with(["a1", "b1", "wild"]) { rig in
                try rig.write(
                    PolicyText.documents(PolicyText.tenant("a", dhcp), PolicyText.tenant("b")),
                    to: "tenants.yaml")
                try await rig.withGuards(mode) { agent in
                    try await agent.change {
                        try await rig.run("ip", "-4", "addr", "flush", "dev", "eth0", in: "a1")
                    }
                    try await work(rig, agent)
                }
            }
        }

        @Test(arguments: modes)
        func `a server that is named answers, and no other`(_ mode: HostFilterMode) async throws {
            let wild = Rig.address(4, .v4)
            try await with("dhcp: [\(wild)]", mode) { rig, agent in
                #expect(try rig.address("wild", .v4) == wild)
                let named = try await lease(rig, from: "wild")
                #expect(named.asked && named.answered)
                let otherPort = try await lease(rig, from: "wild", port: 1067)
                #expect(otherPort.asked && !otherPort.answered)
                // The host, which is not named, hears the search as everybody on the link does.
                let host = try await lease(rig, from: "host", device: "lab")
                #expect(host.asked && !host.answered)
                let counts = try await agent.counters().rules.filter {
                    $0.policy == "tenant/a dhcp"
                }
                #expect(counts.map(\.counts.packets).sorted() == [1, 3], "\(counts)")
                // Who hears a search is not called.
                let rows = await agent.violations().filter { $0.source.address == .v4(0) }
                #expect(rows.isEmpty, "\(rows)")
            }
        }

        @Test(arguments: modes)
        func `the host answers where it is named`(_ mode: HostFilterMode) async throws {
            try await with("dhcp: host", mode) { rig, _ in
                let host = try await lease(rig, from: "host", device: "lab")
                #expect(host.asked && host.answered)
                let wild = try await lease(rig, from: "wild")
                #expect(wild.asked && !wild.answered)
            }
        }

        @Test(arguments: modes)
        func `nothing passes where no server is named`(_ mode: HostFilterMode) async throws {
            try await with("host: {to: all}\nworld: {to: all}", mode) { rig, agent in
                let host = try await lease(rig, from: "host", device: "lab")
                #expect(!host.asked && !host.answered)
                try await agent.expectRefusal(.spoofed, .egress, at: "a1")
            }
        }
    }
}
