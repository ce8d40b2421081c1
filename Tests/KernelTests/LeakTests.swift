import NetTypes
import Testing

extension KernelTests {
    /// Traffic flows across every kind of change; nothing forbidden arrives, nothing allowed is lost.
    @Suite(.alone) struct LeakTests {
        @Test(arguments: PolicyChange.all)
        func `across a change of files`(_ change: PolicyChange) async throws {
            try await Rig.with { rig in
                try change.prepare(rig)
                try await rig.withAgent { agent in
                    let traffic = try Traffic(in: rig)
                    try await letTrafficFlow()
                    let times =
                        change.isSilent
                        ? try await unseen(change, rig)
                        : try await agent.change { try change.make(rig) }
                    // However much is being refused meanwhile.
                    #expect(times.inForce - times.begun < 1_000_000_000)
                    try await letTrafficFlow()
                    try await traffic.judge(
                        change.name, before: change.before, after: change.after, times)
                }
            }
        }

        /// A change that makes no new generation.
        private func unseen(
            _ change: PolicyChange, _ rig: Rig
        ) async throws -> RunningAgent.Change {
            let begun = monotonicTime()
            try change.make(rig)
            try await letTrafficFlow()
            return .init(begun: begun, inForce: monotonicTime())
        }

        @Test(arguments: ["a1", "b1"])
        func `when an endpoint gets another address and loses it`(_ name: String) async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                try rig.write(PolicyText.policy(PolicyText.udp("7000, 7001")), to: "a.yaml")
                try await rig.withAgent { agent in
                    let traffic = try Traffic(in: rig)
                    try await letTrafficFlow()
                    let routes = try rig.routes(of: name)
                    let begun = monotonicTime()
                    for family in AddressFamily.allCases {
                        try await agent.change { try routes.add(Rig.address(200, family), 32) }
                        try await agent.change { try routes.remove(Rig.address(200, family), 32) }
                    }
                    try await letTrafficFlow()
                    try await traffic.judge(
                        "address of \(name)", before: [7000], after: [7000],
                        .init(begun: begun, inForce: monotonicTime()))
                }
            }
        }

        @Test func `when an agent starts on a host without rules`() async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                try rig.write(PolicyText.policy(PolicyText.udp("7000, 7001")), to: "a.yaml")
                let traffic = try Traffic(in: rig)
                try await letTrafficFlow()
                let begun = monotonicTime()
                try await rig.withAgent { _ in
                    let times = RunningAgent.Change(begun: begun, inForce: monotonicTime())
                    try await letTrafficFlow()
                    try await traffic.judge(
                        "start", before: [7000, 7050], after: [7000], times)
                }
            }
        }

        @Test func `when an agent stops, and when another starts`() async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                try rig.write(PolicyText.policy(PolicyText.udp("7000, 7001")), to: "a.yaml")
                try await rig.withAgent { _ in }
                let traffic = try Traffic(in: rig)
                try await letTrafficFlow()
                let begun = monotonicTime()
                try await rig.withAgent { _ in try await letTrafficFlow() }
                try await rig.withAgent { _ in try await letTrafficFlow() }
                try await traffic.judge(
                    "restart", before: [7000], after: [7000],
                    .init(begun: begun, inForce: monotonicTime()))
            }
        }

        @Test func `when an agent is killed`() async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                try rig.write(PolicyText.policy(PolicyText.udp("7000, 7001")), to: "a.yaml")
                let process = try AgentProcess(rig)
                try await wait(for: "the process to enforce") { try process.enforces("a1", "b1") }
                let traffic = try Traffic(in: rig)
                try await letTrafficFlow()
                let begun = monotonicTime()
                try process.kill()
                try await letTrafficFlow()
                try await rig.withAgent { _ in try await letTrafficFlow() }
                try await traffic.judge(
                    "kill", before: [7000], after: [7000],
                    .init(begun: begun, inForce: monotonicTime()))
            }
        }
    }
}
