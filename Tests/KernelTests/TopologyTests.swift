import Foundation
import Glibc
import Lab
import Linux
import NetTypes
import Nftables
import Policy
import Reports
import Rules
import Testing

extension KernelTests {
    /// Namespaces and addresses come and go, and rules follow them.
    @Suite struct TopologyTests {
        private static let udp = PolicyText.policy(PolicyText.udp("7000, 7001"))

        private func prepared(_ names: [String], _ work: (Rig, RunningAgent) async throws -> Void)
            async throws
        {
            try await Rig.with(names) { rig in
                try rig.writeTenants()
                try rig.write(Self.udp, to: "a.yaml")
                try await rig.withAgent { agent in try await work(rig, agent) }
            }
        }

        /// Sends one packet from an address and tells whether it arrives at `b1`.
        private func arrives(
            from local: IPAddress, in name: String, at listener: SharedSocket, _ rig: Rig
        ) async throws -> Bool {
            while try listener.socket.receive(atMost: 64) != nil {}
            let remote = try listener.socket.localAddress()
            let place = try rig.path(name)
            let sent = try await onThread {
                try NetworkNamespace(at: place).run { () throws(SystemError) in
                    let socket = try InternetSocket(.udp, local.family)
                    try socket.bind(to: SocketAddress(local, port: 0))
                    do throws(SystemError) {
                        return try socket.send([1], to: remote)
                    } catch  where error.code == EPERM {
                        return false
                    }
                }
            }
            guard sent else { return false }
            var polled = pollfd(
                fd: listener.socket.descriptor.rawValue, events: Int16(POLLIN), revents: 0)
            return poll(&polled, 1, 50) == 1
        }

        @Test(arguments: AddressFamily.allCases)
        func `addresses are followed`(_ family: AddressFamily) async throws {
            try await prepared(["a1", "b1"]) { rig, agent in
                let listener = try rig.listener("b1", family, port: 7000)
                let more = Rig.address(200, family)
                let length = family == .v4 ? 16 : 64
                let routes = try rig.routes(of: "a1")
                let added = try await agent.change {
                    try routes.add(more, length)
                }
                #expect(try await arrives(from: more, in: "a1", at: listener, rig))
                let removed = try await agent.change { try routes.remove(more, length) }
                print(
                    "address: \(family.rawValue) usable after",
                    "\((added.inForce - added.begun) / 1000) us,",
                    "gone after \((removed.inForce - removed.begun) / 1000) us")
                let reading = try rig.reading(of: "b1")
                #expect(reading?.state.admits(more) == false)
                // Whoever has the address now is nobody.
                try rig.routes(of: "host").add(more, length, index: 2)
                #expect(try await !arrives(from: more, in: "host", at: listener, rig))
            }
        }

        /// A flow from an address that leaves its endpoint loses its right with it.
        @Test(arguments: AddressFamily.allCases)
        func `flows end with their address`(_ family: AddressFamily) async throws {
            try await prepared(["a1", "b1"]) { rig, agent in
                let stream = try NumberedStream(from: "a1", to: "b1", family, port: 7000, in: rig)
                try await letTrafficFlow()
                let local = try rig.address("a1", family)
                let routes = try rig.routes(of: "a1")
                let change = try await agent.change {
                    try routes.remove(local, family == .v4 ? 16 : 64)
                }
                // Back at once, before the agent can have followed: the flow is judged anew.
                try await letTrafficFlow()
                let record = try await stream.finish()
                #expect(record.arrived(change.inForce...) == [])
                #expect(record.arrived(..<change.begun).count > 100)
            }
        }

        @Test func `an address that two have stays with the first`() async throws {
            try await prepared(["a1", "a2", "b1"]) { rig, agent in
                let listener = try rig.listener("b1", .v4, port: 7000)
                let b1 = try rig.routes(of: "b1")
                try b1.add(Rig.address(200, .v4), 32)
                // The kernel tells moments to a hundredth of a second.
                try await Task.sleep(for: .milliseconds(30))
                try rig.routes(of: "a1").add(Rig.address(200, .v4), 16)
                try await wait(for: "the conflict") {
                    await agent.status().conflicts.map(\.subject) == ["\(Rig.address(200, .v4))"]
                }
                let status = await agent.status()
                #expect(status.conflicts.map(\.claimants) == [["a1"]])
                #expect(status.conflicts.map(\.keeper) == ["b1"])
                #expect(status.endpoints.filter { $0.state == .conflict }.map(\.name) == ["a1"])
                // What the first one gives up is the other's at once.
                try await agent.change { try b1.remove(Rig.address(200, .v4), 32) }
                #expect(await agent.status().conflicts.isEmpty)
                let next = Rig.address(200, .v4)
                #expect(try await arrives(from: next, in: "a1", at: listener, rig))
            }
        }

        @Test func `an unknown namespace is left alone`() async throws {
            try await prepared(["a1", "b1", "wild"]) { rig, agent in
                for name in ["wild", "host"] {
                    let reading = try rig.reading(of: name)
                    #expect(reading == nil, "\(name)")
                }
                #expect(await agent.status().unknownNamespaces.map(\.name) == ["wild"])
            }
        }

        @Test func `a new namespace is enforced, and a second name is no second endpoint`()
            async throws
        {
            try await prepared(["a1", "b1"]) { rig, agent in
                let begun = monotonicTime()
                let path = rig.lab.namespaceFolder + "/a9"
                defer { try? NetworkNamespace.unmount(at: path) }
                let made = try NetworkNamespace.temporary()
                try made.mount(at: path)
                try await wait(for: "the new endpoint") {
                    await agent.status().endpoints.contains {
                        $0.name == "a9" && $0.state == .enforced
                    }
                }
                print("namespace: enforced after \((monotonicTime() - begun) / 1000) us")
                let second = rig.lab.namespaceFolder + "/a8"
                defer { try? NetworkNamespace.unmount(at: second) }
                try made.mount(at: second)
                try await letTrafficFlow()
                #expect(await agent.status().endpoints.count == 3)
                try NetworkNamespace.unmount(at: path)
                try await wait(for: "the other name") {
                    let names = await agent.status().endpoints.map(\.name)
                    return names.contains("a8") && names.count == 3
                }
            }
        }

        /// The file is there all the time: only the table of mounts tells, and tells each change once.
        @Test func `namespaces that are mounted over a name in turn are each enforced`()
            async throws
        {
            try await prepared(["a1", "b1"]) { rig, _ in
                let path = rig.lab.namespaceFolder + "/a9"
                defer { try? NetworkNamespace.unmount(at: path) }
                for round in 1...20 {
                    try NetworkNamespace.temporary().mount(at: path)
                    try await Task.sleep(for: .milliseconds(round % 5))
                    try NetworkNamespace.temporary().mount(at: path)
                    try await wait(for: "the last namespace's table in round \(round)") {
                        let at = try NetworkNamespace(at: path)
                        let socket = try at.run { () throws(SystemError) in try NetfilterSocket() }
                        return try EndpointTable(socket).read() != nil
                    }
                }
            }
        }

        @Test func `a deleted namespace dies, and its counts stay`() async throws {
            try await prepared(["a1", "b1"]) { rig, agent in
                let listener = try rig.listener("b1", .v4, port: 7000)
                let flood = Flood(flows: 10, packetsPerFlow: 10, payload: 10)
                try await flood.send(from: "a1", to: "b1", .v4, port: 7000, in: rig)
                try await flood.send(from: "a1", to: "b1", .v4, port: 9, in: rig)
                let before = try await agent.counters()
                try await agent.change {
                    try NetworkNamespace.unmount(at: rig.path("a1"))
                }
                try await wait(for: "the host's end of the link to go") {
                    try await rig.run("ip", "link", "show", "rf-a1", in: "host").status != 0
                }
                let after = try await agent.counters()
                #expect(after.rules.map(\.counts) == before.rules.map(\.counts))
                #expect(after.refused.map(\.counts) == before.refused.map(\.counts))
                #expect(after.rules.first?.counts.packets == flood.packets)
                #expect(after.refused.first?.counts.packets == flood.packets)
                _ = listener
            }
        }

        @Test func `a process names an endpoint`() async throws {
            try await Rig.with(["a1", "b1"]) { rig in
                let path = rig.folder + "/free"
                let made = try NetworkNamespace.temporary()
                try made.mount(at: path)
                defer { try? NetworkNamespace.unmount(at: path) }
                let pid = try Command.spawn(
                    ["nsenter", "--net=" + path, "sleep", "60"], output: "/dev/null")
                defer {
                    kill(pid, SIGKILL)
                    waitpid(pid, nil, 0)
                }
                try await wait(for: "the process to be inside") {
                    try NetworkNamespace(pid: pid).id == made.id
                }
                try rig.write(
                    PolicyText.documents(
                        PolicyText.tenant("a"),
                        PolicyText.tenant("b", endpoints: "[{pid: \(pid)}]")),
                    to: "tenants.yaml")
                try await rig.withAgent { agent in
                    let found = await agent.status().endpoints.first { $0.tenant == "b" }
                    #expect(found?.state == .enforced)
                    let rules = try await Command([
                        "nsenter", "--net=" + path, "nft", "list", "tables",
                    ])
                    #expect(rules.output.contains("inet ringfence"))
                    kill(pid, SIGKILL)
                    waitpid(pid, nil, 0)
                    try await wait(for: "the endpoint to be forgotten") {
                        await !agent.status().endpoints.contains { $0.tenant == "b" }
                    }
                }
            }
        }

        @Test func `a namespace whose tenant is gone is closed, not opened`() async throws {
            try await prepared(["a1", "b1", "wild"]) { rig, agent in
                try await agent.change {
                    try rig.remove("a.yaml")
                    try rig.write(PolicyText.tenant("a"), to: "tenants.yaml")
                }
                try await wait(for: "tenant b to be gone") {
                    await agent.status().policies.tenants == 1
                }
                let arrived = try await arrivesAnything(from: "wild", rig)
                #expect(!arrived)
                #expect(try rig.reading(of: "b1")?.isIntact == true)
                #expect(try rig.reading(of: "b1")?.state.rules.isEmpty == true)
            }
        }

        private func arrivesAnything(from name: String, _ rig: Rig) async throws -> Bool {
            for family in AddressFamily.allCases {
                let listener = try rig.listener("b1", family, port: 7000)
                let local = try rig.address(name, family)
                if try await arrives(from: local, in: name, at: listener, rig) { return true }
            }
            return false
        }
    }
}

extension EndpointState {
    /// Whether an address has a class at all.
    fileprivate func admits(_ address: IPAddress) -> Bool {
        switch address {
        case .v4(let number): peers4.contains { $0.addresses.contains(number) }
        case .v6(let number): peers6.contains { $0.addresses.contains(number) }
        }
    }
}
