import Agent
import Lab
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
                        #expect(time <= 50_000_000)
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
    fileprivate func withGuards(
        _ mode: HostFilterMode, _ work: (RunningAgent) async throws -> Void
    ) async throws {
        try await withAgent(
            {
                $0.hostFilter = mode
                $0.bpfFileSystem = bpf
            }, work)
    }
}
