import Foundation
import NetTypes
import Policy
import Reports
import Testing

extension KernelTests {
    /// A bad file changes nothing, and holds up nothing.
    @Suite struct BadPolicyTests {
        private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("PolicyTests/BadPolicies").path

        @Test func `every bad file of the collection, in a live directory`() async throws {
            let names = try FileManager.default.contentsOfDirectory(atPath: Self.folder).sorted()
            try #require(names.count > 100)
            try await Rig.with { rig in
                try rig.writeTenants()
                try rig.write(PolicyText.policy(PolicyText.udp("7000")), to: "a.yaml")
                try await rig.withAgent { agent in
                    let before = try await kernel(rig)
                    for name in names {
                        try await expectRefused(name, agent, rig)
                        #expect(try await kernel(rig).generations == before.generations, "\(name)")
                        try rig.remove(name)
                        try await wait(for: "\(name) to be forgotten") {
                            await agent.status().policies.errors.isEmpty
                        }
                    }
                    let after = try await kernel(rig)
                    #expect(after.generations == before.generations)
                    #expect(after.rulesets == before.rulesets)
                    try await expectGoodChangesWork(names[0], agent, rig)
                }
            }
        }

        private func expectRefused(_ name: String, _ agent: RunningAgent, _ rig: Rig) async throws {
            let bytes = try Data(contentsOf: URL(fileURLWithPath: Self.folder + "/" + name))
            try bytes.write(to: URL(fileURLWithPath: rig.file(name)))
            var status = await agent.status()
            try await wait(for: "a report of \(name)") {
                status = await agent.status()
                return !status.policies.errors.isEmpty
            }
            for error in status.policies.errors {
                #expect(error.place.file == rig.file(name))
                #expect(error.place.line >= 1 && error.place.column >= 1, "\(error)")
                #expect(!error.message.isEmpty && !error.fix.isEmpty, "\(error)")
            }
            #expect(status.policies.files == 2, "\(name)")
        }

        /// With a bad file beside it, a good one comes into force and goes again.
        private func expectGoodChangesWork(
            _ bad: String, _ agent: RunningAgent, _ rig: Rig
        ) async throws {
            try await expectRefused(bad, agent, rig)
            try await agent.change {
                try rig.write(
                    PolicyText.policy(PolicyText.udp("8000"), name: "good"), to: "good.yaml")
            }
            #expect(await agent.status().policies.files == 3)
            try await agent.change { try rig.remove("good.yaml") }
            // The bad file made good.
            try await agent.change {
                try rig.write(PolicyText.policy(PolicyText.udp("9000"), name: "mended"), to: bad)
            }
            #expect(await agent.status().policies.errors.isEmpty)
        }

        private func kernel(_ rig: Rig) async throws -> (rulesets: [String], generations: [UInt32])
        {
            let names = ["a1", "b1"]
            var rulesets: [String] = []
            for name in names { rulesets.append(try await rig.ruleset(of: name)) }
            return (rulesets, try names.map { try rig.rulesGeneration(of: $0) })
        }
    }
}
