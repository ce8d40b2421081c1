import Agent
import Foundation
import Lab
import Linux
import NetTypes
import Reports
import Testing

extension KernelTests {
    /// The programs on the host ends of the veths, with and without tables behind them.
    @Suite struct HostFilterTests {
        private static let modes: [HostFilterMode] = [.only, .on]

        @Test(arguments: PolicyChange.all)
        func `nothing leaks across a change of files`(_ change: PolicyChange) async throws {
            try await Rig.with { rig in
                try change.prepare(rig)
                try await rig.withGuards(.only) { agent in
                    let traffic = try Traffic(in: rig)
                    try await letTrafficFlow()
                    let begun = monotonicTime()
                    if change.isSilent {
                        try change.make(rig)
                        try await letTrafficFlow()
                    } else {
                        try await agent.change { try change.make(rig) }
                    }
                    let times = RunningAgent.Change(begun: begun, inForce: monotonicTime())
                    try await letTrafficFlow()
                    try await traffic.judge(
                        change.name, before: change.before, after: change.after, times)
                }
            }
        }

        @Test(arguments: modes)
        func `nothing leaks or breaks across restarts`(_ mode: HostFilterMode) async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                try rig.write(PolicyText.policy(PolicyText.udp("7000, 7001")), to: "a.yaml")
                try await rig.withGuards(mode) { _ in }
                let traffic = try Traffic(in: rig)
                try await letTrafficFlow()
                let begun = monotonicTime()
                try await rig.withGuards(mode) { _ in try await letTrafficFlow() }
                try await rig.withGuards(mode) { _ in try await letTrafficFlow() }
                try await traffic.judge(
                    "restart", before: [7000], after: [7000],
                    .init(begun: begun, inForce: monotonicTime()))
            }
        }

        @Test(arguments: modes)
        func `a table that a tenant's root owns takes the filter from nobody`(
            _ mode: HostFilterMode
        ) async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                try rig.write(PolicyText.policy(PolicyText.udp("7000, 7001")), to: "a.yaml")
                try await rig.withGuards(mode) { _ in }
                var squatters = try ["a1", "b1"].map { try Squatter(in: rig.namespace($0)) }
                let traffic = try Traffic(in: rig)
                let begun = monotonicTime()
                let agent = try RunningAgent(rig) {
                    $0.hostFilter = mode
                    $0.bpfFileSystem = rig.bpf
                }
                try await wait(for: "the endpoints") {
                    await agent.status().endpoints.count == 2
                }
                try await letTrafficFlow(.milliseconds(500))
                let endpoints = await agent.status().endpoints
                if mode == .on {
                    #expect(endpoints.allSatisfy { $0.state == .dirty })
                    #expect(
                        endpoints.allSatisfy { $0.lastError?.contains("owned by another") == true })
                } else {
                    #expect(endpoints.allSatisfy { $0.state == .enforced })
                }
                let asked = ContinuousClock.now
                _ = try await agent.counters()
                _ = try await agent.agent.metrics()
                #expect(ContinuousClock.now - asked < .seconds(1))
                withExtendedLifetime(squatters) {}
                squatters = []
                try await agent.settle()
                try await letTrafficFlow()
                let times = RunningAgent.Change(begun: begun, inForce: monotonicTime())
                try await agent.stop()
                try await traffic.judge("owned", before: [7000], after: [7000], times)
            }
        }

        @Test(arguments: modes, AddressFamily.allCases)
        func `a transfer ends with its rule`(
            _ mode: HostFilterMode, _ family: AddressFamily
        ) async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                try rig.write(PolicyText.policy(PolicyText.tcp("5000")), to: "a.yaml")
                try await rig.withGuards(mode) { agent in
                    try await Transfer.with(family, port: 5000, in: rig) { transfer in
                        let change = try await agent.change {
                            try rig.write(PolicyText.policy(PolicyText.tcp("5001")), to: "a.yaml")
                        }
                        try await letTrafficFlow(.milliseconds(300))
                        let last = transfer.progress.lastReceived
                        let time = last > change.begun ? last - change.begun : 0
                        print("revocation, host filter \(mode): \(time / 1000) us after the save")
                        #expect(time <= 1_000_000_000)
                        try await expectRevoked(agent, mode, from: "a")
                    }
                }
            }
        }

        private func expectRevoked(
            _ agent: RunningAgent, _ mode: HostFilterMode, from tenant: String
        ) async throws {
            var found: Violation?
            try await wait(for: "the violation") {
                found = await agent.violations().first {
                    $0.reason == .revoked && $0.destination.tenant == "b"
                }
                return found != nil
            }
            #expect(found?.source.tenant == tenant)
            if mode == .only { #expect(found?.layer == .hostFilter) }
        }

        /// Behind a translation by the host every caller has the host's address.
        @Test func `who calls is known behind a translation`() async throws {
            try await Rig.with(fabric: .routed) { rig in
                try rig.writeTenants()
                try rig.write(PolicyText.policy(PolicyText.tcp("5000")), to: "a.yaml")
                let made = try await rig.nft(
                    "add table ip nat; add chain ip nat post "
                        + "{ type nat hook postrouting priority 100; }; "
                        + "add rule ip nat post ip daddr \(rig.address("b1", .v4)) masquerade",
                    in: "host")
                try #require(made.status == 0, "\(made.output)")
                try await rig.withGuards(.only) { agent in
                    try await Transfer.with(.v4, port: 5000, in: rig) { transfer in
                        // The host's address may not call: what flows is known to be a's.
                        try await transfer.goOn()
                        try await agent.change { try rig.remove("a.yaml") }
                        try await letTrafficFlow(.milliseconds(300))
                        let stopped = transfer.progress.lastReceived
                        try await letTrafficFlow(.milliseconds(200))
                        #expect(transfer.progress.lastReceived == stopped)
                        // The answers, which are refused as well, go to the host's address.
                        let callers = Set(
                            await agent.violations()
                                .filter { $0.direction == .ingress && $0.destination.tenant == "b" }
                                .map(\.source.tenant))
                        #expect(callers.isSubset(of: ["a"]))
                    }
                }
            }
        }

        /// By filters, by links and by filters again: no packet is lost on the way, and none leaks.
        @Test func `filters stand in for links without a gap`() async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                try rig.write(PolicyText.policy(PolicyText.udp("7000, 7001")), to: "a.yaml")
                try await rig.withGuards(.only, .clsact) { _ in
                    try await rig.expectFilters(present: true)
                }
                let traffic = try Traffic(in: rig)
                try await letTrafficFlow()
                let begun = monotonicTime()
                for attachment in [HostFilterAttachment.clsact, .tcx, .clsact, .auto] {
                    try await rig.withGuards(.only, attachment) { agent in
                        #expect(await agent.status().agent.hostFilterProblem == nil)
                        try await rig.expectFilters(present: attachment == .clsact)
                        try await letTrafficFlow()
                    }
                }
                try await traffic.judge(
                    "other attachments", before: [7000], after: [7000],
                    .init(begun: begun, inForce: monotonicTime()))
            }
        }

        /// Killed in its start and in its work, and started again.
        @Test(arguments: [HostFilterAttachment.tcx, .clsact])
        func `nothing leaks or breaks when the agent is killed`(
            _ attachment: HostFilterAttachment
        ) async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                try rig.write(PolicyText.policy(PolicyText.udp("7000, 7001")), to: "a.yaml")
                let guards = try HostGuards(hostNamespace: rig.lab.fabricPath)
                do {
                    try await rig.killAgents(attachment)
                } catch {
                    try guards.remove()
                    throw error
                }
                try await rig.expectFilters(present: attachment == .clsact)
                #expect(guards.isPresent)
                try guards.remove()
            }
        }

        @Test(arguments: PolicyChange.all.prefix(4))
        func `nothing leaks through filters across a change of files`(
            _ change: PolicyChange
        ) async throws {
            try await Rig.with { rig in
                try change.prepare(rig)
                try await rig.withGuards(.only, .clsact) { agent in
                    let traffic = try Traffic(in: rig)
                    try await letTrafficFlow()
                    let begun = monotonicTime()
                    try await agent.change { try change.make(rig) }
                    let times = RunningAgent.Change(begun: begun, inForce: monotonicTime())
                    try await letTrafficFlow()
                    try await traffic.judge(
                        change.name, before: change.before, after: change.after, times)
                }
            }
        }

        @Test func `filters of others are named, and stay when ours are released`() async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                try await rig.withGuards(.only, .clsact) { agent in
                    #expect(await agent.status().agent.otherPrograms == [])
                    let added = try await rig.tc(
                        "filter", "add", "dev", "rf-a1", "ingress", "prio", "50", "protocol",
                        "ip", "u32", "match", "u32", "0", "0", "flowid", "1:1")
                    try #require(added.status == 0, "\(added.output)")
                    #expect(await agent.status().agent.otherPrograms == ["u32 on rf-a1"])
                }
                let guards = try HostGuards(root: rig.bpf, hostNamespace: rig.lab.fabricPath)
                #expect(guards.isPresent)
                try guards.remove()
                #expect(!guards.isPresent)
                try await rig.expectFilters(present: false)
                let left = try await rig.tc("filter", "show", "dev", "rf-a1", "ingress")
                #expect(left.output.contains("u32"))
                try await Transfer.with(.v4, port: 5000, in: rig) { try await $0.goOn() }
            }
        }

        @Test func `a release takes the programs away`() async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                try await rig.withGuards(.only) { agent in
                    #expect(await agent.status().agent.hostFilter == .only)
                    #expect(await agent.status().agent.hostFilterProblem == nil)
                }
                try HostGuards(root: rig.bpf, hostNamespace: rig.lab.fabricPath).remove()
                // The kernel lets go of a link a moment after its last name is gone.
                try await letTrafficFlow(.milliseconds(300))
                try await Transfer.with(.v4, port: 5000, in: rig) { try await $0.goOn() }
            }
        }
    }
}

extension Rig {
    fileprivate func tc(_ words: String...) async throws -> Command {
        try await Command(["nsenter", "--net=" + lab.fabricPath, "tc"] + words)
    }

    /// Both programs are filters at both veths, or none is.
    fileprivate func expectFilters(present: Bool) async throws {
        for end in ["rf-a1", "rf-b1"] {
            for (hook, program) in [("ingress", "from_endpoint"), ("egress", "to_endpoint")] {
                let shown = try await tc("filter", "show", "dev", end, hook)
                #expect(shown.output.contains(program) == present, "\(end): \(shown.output)")
            }
        }
    }

    /// Lets traffic flow while one agent after the other is killed.
    fileprivate func killAgents(_ attachment: HostFilterAttachment) async throws {
        let options = ["--host-filter", "only", "--host-filter-attach", attachment.rawValue]
        let first = try AgentProcess(self, options)
        let links = "/sys/fs/bpf/ringfence/\(try namespace("host").id.inode)/links"
        try await wait(for: "both programs at both veths") {
            (try? FileManager.default.contentsOfDirectory(atPath: links).count) == 4
        }
        let traffic = try Traffic(in: self)
        try await letTrafficFlow()
        let begun = monotonicTime()
        try first.kill()
        try await letTrafficFlow()
        for milliseconds in [20, 60, 150, 300, 1500] {
            let next = try AgentProcess(self, options)
            try await letTrafficFlow(.milliseconds(milliseconds))
            try next.kill()
        }
        try await letTrafficFlow()
        try await traffic.judge(
            "killed, \(attachment.rawValue)", before: [7000], after: [7000],
            .init(begun: begun, inForce: monotonicTime()))
    }

    func withGuards(
        _ mode: HostFilterMode, _ attachment: HostFilterAttachment = .auto,
        _ work: (RunningAgent) async throws -> Void
    ) async throws {
        try await withAgent(
            {
                $0.hostFilter = mode
                $0.hostFilterAttachment = attachment
                $0.bpfFileSystem = bpf
            }, work)
    }
}
