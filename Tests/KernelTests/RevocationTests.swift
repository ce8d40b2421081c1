import Agent
import Foundation
import NetTypes
import Policy
import Reports
import Rules
import Testing

extension KernelTests {
    /// A rule's end is the end of its connections, and of no others.
    @Suite(.alone) struct RevocationTests {
        @Test(arguments: AddressFamily.allCases)
        func `a transfer ends with its rule`(_ family: AddressFamily) async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                try rig.write(PolicyText.policy(PolicyText.tcp("5000")), to: "a.yaml")
                try await rig.withAgent { agent in
                    try await Transfer.with(family, port: 5000, in: rig) { transfer in
                        let change = try await agent.change {
                            try rig.write(PolicyText.policy(PolicyText.tcp("5001")), to: "a.yaml")
                        }
                        try await letTrafficFlow(.milliseconds(300))
                        let last = transfer.progress.lastReceived
                        let time = last > change.begun ? last - change.begun : 0
                        print("revocation: \(family.rawValue): \(time / 1000) us after the save")
                        #expect(time <= 50_000_000)
                        try await expectViolation(agent, family, rig)
                    }
                }
            }
        }

        @Test(arguments: AddressFamily.allCases)
        func `a transfer ends when its policy expires`(_ family: AddressFamily) async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                let end = Int64(Date().timeIntervalSince1970) + 3
                let moment = Timestamp(milliseconds: end * 1000)
                let text = moment.description.replacing(".000Z", with: "Z")
                let policy = PolicyText.policy(PolicyText.tcp("5000"))
                try rig.write(
                    policy.replacing("from:", with: "expires: \"\(text)\"\nfrom:"), to: "a.yaml")
                try await rig.withAgent { agent in
                    try await Transfer.with(family, port: 5000, in: rig) { transfer in
                        try await transfer.goOn()
                        #expect(await agent.generation() == 1)
                        try await wait(for: "the end") { await agent.generation() == 2 }
                        let late = Date().timeIntervalSince1970 - Double(end)
                        #expect((0...1).contains(late), "in force \(late) s after its moment")
                        let received = transfer.progress.lastReceived
                        try await letTrafficFlow(.milliseconds(300))
                        let after = Double(transfer.progress.lastReceived - received) / 1e9
                        #expect(after <= 0.05, "data \(after) s after the generation was in force")
                        try await expectExpired(agent, at: moment)
                    }
                }
                // Nor does an agent that starts later open it.
                try await rig.withAgent { agent in
                    let report = try await agent.counters()
                    let rules = try #require(try rig.reading(of: "b1")).state.rules.entries
                    #expect(!rules.isEmpty && !rules.contains { $0.rule.policy == "a-to-b" })
                    #expect(report.refused.contains { $0.reason == .revoked })
                }
            }
        }

        private func expectExpired(_ agent: RunningAgent, at moment: Timestamp) async throws {
            var found: Violation?
            try await wait(for: "the violation") {
                found = await agent.violations().first { $0.reason == .revoked }
                return found != nil
            }
            let closest = try #require(found?.closest)
            #expect(closest.rule?.policy == "a-to-b")
            #expect(closest.lack.contains("its policy expired at \(moment)"))
            let history = try await agent.agent.history(limit: 10)
            #expect(history.generations.first?.changes.map(\.kind) == [.expired])
        }

        private func expectViolation(
            _ agent: RunningAgent, _ family: AddressFamily, _ rig: Rig
        ) async throws {
            let source = try rig.address("a1", family)
            var found: Violation?
            try await wait(for: "the violation") {
                found = await agent.violations().first {
                    $0.reason == .revoked && $0.source.address == source
                }
                return found != nil
            }
            let violation = try #require(found)
            #expect(violation.source.tenant == "a" && violation.destination.tenant == "b")
            #expect(violation.ports?.destination == 5000)
            // The rule that let it pass, not the one that stands in its file now.
            #expect(violation.closest?.rule?.policy == "a-to-b")
            #expect(violation.closest?.lack.contains("admitted it up to generation") == true)
        }

        enum Mild: CaseIterable {
            case renamed
            case moved
            case narrowed
            case unrelated
        }

        @Test(arguments: Mild.allCases)
        func `a transfer that stays admitted goes on`(_ mild: Mild) async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                try rig.write(PolicyText.policy(PolicyText.tcp("5000-5010")), to: "a.yaml")
                try await rig.withAgent { agent in
                    try await Transfer.with(.v4, port: 5000, in: rig) { transfer in
                        let before = try #require(try await agent.counters().rules.first)
                        try await make(mild, agent, rig)
                        try await transfer.goOn()
                        #expect(transfer.progress.isIntact)
                        let report = try await agent.counters()
                        let counts = report.rules.reduce(Tally()) { $0 + $1.counts }
                        if mild == .moved || mild == .unrelated {
                            #expect(counts.packets > before.counts.packets && counts.flows == 1)
                            #expect(report.rules.first?.rule == before.rule)
                        } else {
                            // Another rule has taken the flow over; it admitted none itself.
                            #expect(counts.packets > 0 && counts.flows == 0)
                        }
                        let refused = report.refused.filter { $0.reason == .revoked }
                        #expect(refused.isEmpty)
                    }
                }
            }
        }

        private func make(_ mild: Mild, _ agent: RunningAgent, _ rig: Rig) async throws {
            let text = PolicyText.policy(PolicyText.tcp("5000-5010"))
            switch mild {
            case .renamed:
                try await agent.change {
                    try rig.write(
                        PolicyText.policy(PolicyText.tcp("5000-5010"), name: "other"), to: "a.yaml")
                }
            case .moved:
                try rig.write(text, to: "b.yaml")
                try rig.remove("a.yaml")
                try await wait(for: "the file to be forgotten") {
                    let status = await agent.status().policies
                    return status.files == 2 && status.errors.isEmpty
                }
            case .narrowed:
                try await agent.change {
                    try rig.write(PolicyText.policy(PolicyText.tcp("5000")), to: "a.yaml")
                }
            case .unrelated:
                try await agent.change {
                    try rig.write(
                        PolicyText.policy(PolicyText.udp("1"), name: "other"), to: "b.yaml")
                }
            }
        }
    }
}
