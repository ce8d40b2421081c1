import Agent
import Foundation
import Glibc
import Lab
import Linux
import NetTypes
import Policy
import Reports
import Rules
import Testing

extension KernelTests {
    /// Whatever the agent loses sight of stays closed.
    @Suite struct ClosingTests {
        /// How the agent comes to lose an endpoint.
        enum Loss: String, CaseIterable {
            case interfaceMovedAway
            case tenantRemoved
            case claimedTwice
        }

        /// A namespace without a name that a tenant's root made, in which a process holds it open.
        private static func nested(in rig: Rig, _ name: String) async throws -> Process {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/nsenter")
            process.arguments = [
                "--net=" + (try rig.path(name)), "unshare", "--net", "sleep", "600",
            ]
            // Nothing waits for the end of what it might say.
            process.standardOutput = FileHandle.nullDevice
            process.standardError = FileHandle.nullDevice
            try process.run()
            let outer = try rig.namespace(name).id
            try await wait(for: "the nested namespace") {
                let inner = try? NetworkNamespace(pid: process.processIdentifier).id
                let own = try NetworkNamespace.current().id
                return inner != nil && inner != outer && inner != own
            }
            return process
        }

        private func lose(_ loss: Loss, _ rig: Rig) async throws -> Process? {
            switch loss {
            case .interfaceMovedAway:
                let process = try await Self.nested(in: rig, "a1")
                try await rig.run(
                    "ip", "link", "set", "eth0", "netns", "\(process.processIdentifier)", in: "a1")
                let inside = ["nsenter", "--net=/proc/\(process.processIdentifier)/ns/net"]
                let address = "\(try rig.address("a1", .v4))/16"
                for words in [
                    ["ip", "link", "set", "eth0", "up"],
                    ["ip", "addr", "add", address, "dev", "eth0"],
                ] {
                    _ = try await Command(inside + words)
                }
                return process
            case .tenantRemoved:
                try rig.write(PolicyText.tenant("b"), to: "tenants.yaml")
                try rig.remove("a.yaml")
            case .claimedTwice:
                try rig.write(
                    PolicyText.documents(
                        PolicyText.tenant("a"), PolicyText.tenant("b"),
                        """
                        apiVersion: ringfence/v1
                        kind: Tenant
                        name: c
                        endpoints:
                          - namespace: a1
                        """), to: "tenants.yaml")
            }
            return nil
        }

        /// b admits the world and the host, which an endpoint that is out of sight must not become.
        private static let policies = PolicyText.documents(
            """
            apiVersion: ringfence/v1
            kind: Policy
            name: open
            from: [world, host]
            to: [{tenant: b}]
            allow: [{protocol: udp, ports: [7000]}]
            """)

        /// Whether a frame with a forged source that leaves by an interface reaches `b1`.
        private func passes(_ rig: Rig, by netns: String) async throws -> Bool {
            let listener = try rig.listener("b1", .v4, port: 7000)
            while try listener.socket.receive(atMost: 64) != nil {}
            let target = try rig.address("b1", .v4)
            let script = """
                import socket, struct, sys
                def fold(data):
                    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
                    while total >> 16:
                        total = (total & 0xffff) + (total >> 16)
                    return ~total & 0xffff
                link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
                link.bind(("eth0", 0))
                source = socket.inet_aton("203.0.113.5")
                target = socket.inet_aton("\(target)")
                udp = struct.pack("!HHHH", 9, 7000, 12, 0) + b"leak"
                head = struct.pack("!BBHHHBBH", 0x45, 0, 32, 1, 0, 64, 17, 0) + source + target
                head = head[:10] + struct.pack("!H", fold(head)) + head[12:]
                mac = link.getsockname()[4]
                for _ in range(20):
                    link.send(b"\\xff" * 6 + mac + b"\\x08\\x00" + head + udp)
                """
            _ = try await Command(["nsenter", "--net=" + netns, "python3", "-c", script])
            var polled = pollfd(
                fd: listener.socket.descriptor.rawValue, events: Int16(POLLIN), revents: 0)
            return poll(&polled, 1, 300) == 1
        }

        @Test(arguments: [HostFilterMode.on, .only], Loss.allCases)
        func `a link whose endpoint is lost stays closed, over a restart as well`(
            _ mode: HostFilterMode, _ loss: Loss
        ) async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                try rig.write(Self.policies, to: "open.yaml")
                try rig.write(PolicyText.policy(PolicyText.udp("7001")), to: "a.yaml")
                var process: Process?
                defer { process.map { _ = kill($0.processIdentifier, SIGKILL) } }
                try await rig.withGuards(mode) { agent in
                    process = try await lose(loss, rig)
                    try await wait(for: "the held link") {
                        await agent.status().held.contains { $0.isClosed }
                    }
                    let link = try #require(await agent.status().held.first)
                    #expect(link.tenant == "a" && link.endpoint == "a1", "\(link)")
                    let netns =
                        try process.map { "/proc/\($0.processIdentifier)/ns/net" } ?? rig.path("a1")
                    #expect(try await !passes(rig, by: netns))
                }
                let netns =
                    try process.map { "/proc/\($0.processIdentifier)/ns/net" } ?? rig.path("a1")
                #expect(try await !passes(rig, by: netns))
                try await rig.withRestarted(mode) { agent in
                    try await wait(for: "the held link after the restart") {
                        await agent.status().held.contains { $0.isClosed }
                    }
                    #expect(try await !passes(rig, by: netns))
                    let name = try #require(await agent.status().held.first).link
                    await #expect(throws: EnforcementProblem.self) {
                        try await agent.agent.release(LinkReleaseRequest(link: "other"))
                    }
                    try await agent.agent.release(LinkReleaseRequest(link: name))
                    #expect(await agent.status().held.isEmpty)
                    if mode == .only { #expect(try await passes(rig, by: netns)) }
                }
            }
        }

        /// What an operator may do to the directory by mistake.
        enum Emptying: String, CaseIterable {
            case filesRemoved
            case directoryReplaced
            case restartOverEmpty
        }

        @Test(arguments: Emptying.allCases, [HostFilterMode.off, .on, .only])
        func `an empty directory revokes nothing until it is confirmed`(
            _ emptying: Emptying, _ mode: HostFilterMode
        ) async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                try rig.write(PolicyText.policy(PolicyText.udp("7000, 7001")), to: "a.yaml")
                try await rig.withGuards(mode) { _ in }
                let traffic = try Traffic(in: rig)
                try await letTrafficFlow()
                let begun = monotonicTime()
                try await rig.withGuards(mode) { agent in
                    if emptying != .restartOverEmpty {
                        try empty(rig, emptying)
                        try await expectLoss(agent)
                        try await letTrafficFlow()
                        #expect(await agent.status().endpoints.count == 2)
                    }
                }
                if emptying == .restartOverEmpty { try empty(rig, .filesRemoved) }
                try await rig.withRestarted(mode) { agent in
                    try await expectLoss(agent)
                    try await agent.settle()
                    try await letTrafficFlow()
                    let settled = monotonicTime()
                    try await traffic.judge(
                        "\(emptying)", before: [7000], after: [7000],
                        .init(begun: begun, inForce: settled))
                    try await agent.agent.confirmEmptyDirectory()
                    try await wait(for: "the end of every rule") {
                        await agent.status().endpoints.isEmpty
                    }
                    #expect(await agent.status().policies.errors.isEmpty)
                    if mode != .only {
                        try await wait(for: "the closed table") {
                            try rig.reading(of: "b1")?.state.rules.isEmpty == true
                        }
                    }
                }
            }
        }

        private func empty(_ rig: Rig, _ emptying: Emptying) throws {
            if emptying == .directoryReplaced {
                let old = rig.folder + "/old"
                try check("rename", on: old) { rename(rig.policies, old) }
                try check("mkdir", on: rig.policies) { mkdir(rig.policies, 0o755) }
                return
            }
            for name in try FileManager.default.contentsOfDirectory(atPath: rig.policies) {
                try rig.remove(name)
            }
        }

        private func expectLoss(_ agent: RunningAgent) async throws {
            try await wait(for: "the loss of sight") {
                await agent.status().policies.errors.contains {
                    $0.fix.contains("confirm-empty")
                }
            }
        }

        /// With the tables alone, an address out of sight is nobody's: not the world's.
        @Test func `an address that went out of sight is not the world's`() async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                try rig.write(Self.policies, to: "open.yaml")
                try await rig.withAgent { agent in
                    let process = try await lose(.interfaceMovedAway, rig)
                    defer { process.map { _ = kill($0.processIdentifier, SIGKILL) } }
                    try await wait(for: "the held link") {
                        await !agent.status().held.isEmpty
                    }
                    try await wait(for: "the next compilation") {
                        await agent.status().endpoints.first { $0.name == "a1" }?.addresses
                            .contains(try rig.address("a1", .v4)) == false
                    }
                    guard case .v4(let number) = try rig.address("a1", .v4) else { return }
                    let peers = try rig.reading(of: "b1")?.state.peers4 ?? []
                    #expect(!peers.isEmpty)
                    #expect(!peers.contains { $0.addresses.contains(number) })
                }
            }
        }

        @Test func `a namespace without a claim by its path stays closed`() async throws {
            try await Rig.with { rig in
                let place = rig.folder + "/elsewhere"
                try Data().write(to: URL(fileURLWithPath: place))
                let source = try rig.path("a1")
                try check("mount") { mount(source, place, "", UInt(MS_BIND), nil) }
                defer { umount2(place, CInt(MNT_DETACH)) }
                try rig.write(
                    PolicyText.documents(
                        PolicyText.tenant("b"),
                        """
                        apiVersion: ringfence/v1
                        kind: Tenant
                        name: a
                        endpoints:
                          - path: \(place)
                        """), to: "tenants.yaml")
                try rig.write(PolicyText.policy(PolicyText.udp("7000, 7001")), to: "a.yaml")
                try await rig.withAgent(
                    { $0.namespaceFolders = [] },
                    { agent in
                        #expect(try rig.reading(of: "a1")?.state.rules.isEmpty == false)
                        try rig.write(PolicyText.tenant("b"), to: "tenants.yaml")
                        try rig.remove("a.yaml")
                        try await wait(for: "the end of its rules") {
                            try rig.reading(of: "a1")?.state.rules.isEmpty == true
                        }
                        #expect(await agent.status().unknownNamespaces.count == 1)
                    })
            }
        }
    }
}

extension Rig {
    /// Starts another agent over what the last one left; endpoints need not be enforced.
    func withRestarted(
        _ mode: HostFilterMode, _ work: (RunningAgent) async throws -> Void
    ) async throws {
        let agent = try RunningAgent(self) {
            $0.hostFilter = mode
            $0.bpfFileSystem = bpf
        }
        do {
            try await work(agent)
        } catch {
            try await agent.stop()
            throw error
        }
        try await agent.stop()
    }
}
