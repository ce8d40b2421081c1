import Agent
import Foundation
import Glibc
import HostFilter
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

        @Test(arguments: [HostFilterMode.only, .on])
        func `a second agent changes neither the host filter nor a table`(
            _ mode: HostFilterMode
        ) async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                try rig.write(PolicyText.policy(PolicyText.udp("7000, 7001")), to: "a.yaml")
                try await rig.withGuards(mode) { first in
                    let traffic = try Traffic(in: rig)
                    let begun = monotonicTime()
                    let open = rig.folder + "/open"
                    try FileManager.default.createDirectory(
                        atPath: open, withIntermediateDirectories: true)
                    let text = PolicyText.documents(
                        PolicyText.tenant("a"), PolicyText.tenant("b"),
                        PolicyText.policy("protocol: any"))
                    try Data(text.utf8).write(to: URL(fileURLWithPath: open + "/all.yaml"))
                    let other = rig.folder + "/other-bpf"
                    defer { umount2(other, CInt(MNT_DETACH)) }
                    for root in [rig.bpf, other] {
                        let second = try RunningAgent(rig) {
                            $0.policies = open
                            $0.stateDirectory = rig.folder + "/state-2"
                            $0.hostFilter = mode
                            $0.bpfFileSystem = root
                            $0.claimPatience = .milliseconds(300)
                        }
                        let held = await #expect(throws: HostFilterLock.Held.self) {
                            try await second.ended()
                        }
                        #expect(held?.pid == getpid())
                    }
                    try await first.settle()
                    #expect(await first.status().agent.hostFilterProblem == nil)
                    #expect(try await first.agent.history(limit: 10).drift.isEmpty)
                    try await traffic.judge(
                        "second agent, \(mode)", before: [7000], after: [7000],
                        .init(begun: begun, inForce: monotonicTime()))
                }
                // The right went with the first.
                try await rig.withGuards(mode) { _ in }
            }
        }

        @Test func `an agent waits for one that is about to end`() async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                let first = try RunningAgent(rig) {
                    $0.hostFilter = .only
                    $0.bpfFileSystem = rig.bpf
                }
                try await first.settle()
                let next = Task {
                    try await rig.withGuards(.only) { _ in }
                }
                try await letTrafficFlow(.milliseconds(300))
                try await first.stop()
                try await next.value
            }
        }
    }
}
