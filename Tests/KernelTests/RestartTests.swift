import Agent
import Foundation
import NetTypes
import Policy
import Reports
import Rules
import Testing

extension KernelTests {
    /// The kernel is the truth: what is right is kept, what isn't is mended.
    @Suite struct RestartTests {
        @Test func `an enforced host is taken over with one write to each endpoint`() async throws {
            try await Rig.with { rig in
                try prepare(rig)
                try await rig.withAgent { _ in }
                let handles = try await listing(rig, "-a")
                let generation = try rig.rulesGeneration(of: "b1")
                #expect(try rig.reading(of: "b1")?.owner == nil)
                try await rig.withAgent { agent in
                    let after = try rig.rulesGeneration(of: "b1")
                    let listed = try await listing(rig, "-a")
                    let reading = try rig.reading(of: "b1")
                    #expect(after == generation + 1)
                    #expect(listed == handles)
                    #expect(reading?.owner != nil)
                    #expect(await agent.generation() == 1)
                }
            }
        }

        /// As after a kill before the first ledger was written: the tables are there, and nobody
        /// knows which generation they are.
        @Test func `tables without a number get one`() async throws {
            try await Rig.with { rig in
                try prepare(rig)
                try await rig.withAgent { _ in }
                try FileManager.default.removeItem(atPath: rig.state)
                try await rig.withAgent { agent in
                    #expect(await agent.generation() == 1)
                    try await agent.change { try rig.remove("a.yaml") }
                    #expect(await agent.generation() == 2)
                }
            }
        }

        @Test func `a host without an endpoint has a generation as well`() async throws {
            try await Rig.with([]) { rig in
                try prepare(rig)
                let agent = try RunningAgent(rig)
                try await wait(for: "the first generation") { await agent.generation() == 1 }
                try await agent.stop()
            }
        }

        @Test func `what a file said while it was good outlasts the agent`() async throws {
            try await Rig.with { rig in
                try prepare(rig)
                try await rig.withAgent { _ in }
                let before = try await listing(rig)
                try rig.write("kind: Polity\n", to: "a.yaml")
                for _ in 1...2 {
                    let (listed, policies) = try await started(rig)
                    #expect(listed == before)
                    #expect(Set(policies.errors.map(\.place.file)) == [rig.file("a.yaml")])
                    #expect(policies.files == 2)
                }
                // A tenant that a rule speaks of can't go, as it could not while an agent ran.
                try rig.remove("tenants.yaml")
                #expect(try await started(rig).listing == before)
                // What is good or gone counts as it is.
                try rig.writeTenants()
                try rig.remove("a.yaml")
                let (listed, policies) = try await started(rig)
                #expect(listed != before)
                #expect(policies.errors.isEmpty)
                #expect(policies.files == 1)
            }
        }

        /// What an agent that starts now makes of the directory.
        private func started(
            _ rig: Rig
        ) async throws -> (listing: [Substring], policies: PolicyStatus) {
            var outcome: ([Substring], PolicyStatus)?
            try await rig.withAgent { agent in
                outcome = (try await listing(rig), await agent.status().policies)
            }
            return try #require(outcome)
        }

        /// What somebody may do to the table while nobody owns it.
        private static let damage = [
            "flush map inet ringfence rules", "flush map inet ringfence admit_in",
            "flush map inet ringfence ranges_in",
            "flush map inet ringfence peers4", "flush map inet ringfence peers6",
            "flush set inet ringfence own4", "add element inet ringfence own6 { fd99::1 }",
            "add element inet ringfence peers4 { 192.0.2.0/24 : 0x00000001 }",
            "flush chain inet ringfence judge_in", "flush chain inet ringfence input",
            "insert rule inet ringfence input accept", "add rule inet ringfence output accept",
            "add rule inet ringfence refused accept", "add chain inet ringfence extra",
            "add set inet ringfence extra { type ipv4_addr; }",
            "chain inet ringfence input { policy accept; }", "delete table inet ringfence",
            "flush ruleset",
        ]

        @Test(arguments: damage)
        func `damage is mended at the next start`(_ command: String) async throws {
            try await Rig.with { rig in
                try prepare(rig)
                try await rig.withAgent { _ in }
                let before = try await listing(rig)
                let done = try await rig.nft(command, in: "b1")
                try #require(done.status == 0, "\(done.output)")
                try await rig.withAgent { agent in
                    let listed = try await listing(rig)
                    let reading = try rig.reading(of: "b1")
                    #expect(listed == before)
                    #expect(reading?.isIntact == true)
                    let drift = try await agent.agent.history(limit: 10).drift
                    #expect(drift.count == 1 && drift.first?.endpoint == "b1", "\(drift)")
                    #expect(drift.first?.isRepaired == true)
                }
            }
        }

        @Test func `nobody else changes the table while the agent runs`() async throws {
            try await Rig.with { rig in
                try prepare(rig)
                try await rig.withAgent { _ in
                    let before = try await listing(rig, "-a")
                    let generation = try rig.rulesGeneration(of: "b1")
                    for command in Self.damage {
                        let done = try await rig.nft(command, in: "b1")
                        if command != "flush ruleset" {
                            #expect(done.status != 0, "\(command)")
                            #expect(
                                done.output.contains("Operation not permitted"),
                                "\(command): \(done.output)")
                        }
                        #expect(try await listing(rig, "-a") == before, "\(command)")
                    }
                    #expect(try rig.rulesGeneration(of: "b1") >= generation)
                }
            }
        }

        @Test func `rules of other programs are left alone`() async throws {
            try await Rig.with { rig in
                try prepare(rig)
                let own = """
                    table inet other {
                      chain first { type filter hook input priority 5; counter; }
                    }
                    """
                let made = try await rig.nft(own, in: "b1")
                try #require(made.status == 0, "\(made.output)")
                let before = try await rig.nft("-s", "list", "table", "inet", "other", in: "b1")
                try await rig.withAgent { agent in
                    try await agent.change { try rig.remove("a.yaml") }
                }
                let after = try await rig.nft("-s", "list", "table", "inet", "other", in: "b1")
                #expect(after.status == 0 && after.output == before.output)
            }
        }

        private func prepare(_ rig: Rig) throws {
            try rig.writeTenants()
            try rig.write(
                PolicyText.policy(PolicyText.udp("7000"), PolicyText.tcp("80-90")), to: "a.yaml")
        }

        /// The table of `b1` without its owner, which changes with the agent, in the order of `nft`.
        private func listing(_ rig: Rig, _ option: String = "-n") async throws -> [Substring] {
            let result = try await rig.nft(
                "-s", option, "list", "table", "inet", "ringfence", in: "b1")
            try #require(result.status == 0, "\(result.output)")
            return result.output.split(separator: "\n").dropFirst().filter {
                !$0.hasPrefix("\tflags")
            }
        }
    }
}
