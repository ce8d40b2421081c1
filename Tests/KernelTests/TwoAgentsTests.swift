import Agent
import Reports
import Testing

extension KernelTests {
    /// One agent serves a host; a second one waits for its turn.
    @Suite struct TwoAgentsTests {
        @Test func `a second agent takes over when the first was killed`() async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                let first = try AgentProcess(rig)
                try await wait(for: "the first agent") { try first.enforces("a1", "b1") }
                let second = try RunningAgent(rig) { $0.stateDirectory += "-2" }
                do {
                    try await wait(for: "the second agent's start") {
                        await second.status().policies.tenants > 0
                    }
                    #expect(await second.status().endpoints.isEmpty)
                    try first.kill()
                    try await wait(for: "the second agent's turn", within: .seconds(20)) {
                        await !second.status().endpoints.isEmpty
                    }
                    try await second.settle()
                } catch {
                    try? await second.stop()
                    throw error
                }
                try await second.stop()
            }
        }
    }
}
