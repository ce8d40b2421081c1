import Agent
import Foundation
import NetTypes
import Policy
import Reports
import Rules
import Testing

extension KernelTests {
    /// What an agent finds as it was left it need not read, and whatever isn't so it must see.
    @Suite struct ResumeTests {
        /// The ways in which a host can differ from what the last agent left.
        enum Difference: CaseIterable {
            case nothing, policy, newFile, badFile, address, otherTable, ownTable, otherBuild
            case noCheckpoint, damagedCheckpoint
        }

        @Test(arguments: Difference.allCases)
        func `an agent sees what became another while none ran`(
            _ difference: Difference
        ) async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                try rig.write(PolicyText.policy(PolicyText.udp("7000")), to: "a.yaml")
                try await rig.withAgent { _ in }
                try await make(difference, rig)
                try await rig.withAgent { agent in
                    let resumed = await agent.agent.resumedTables
                    switch difference {
                    case .nothing: #expect(resumed == 2)
                    case .otherTable, .ownTable: #expect(resumed == 1)
                    default: #expect(resumed == 0)
                    }
                    #expect(agent.agent.isReconciled)
                    let states = await agent.status().endpoints.map(\.state)
                    #expect(states == [.enforced, .enforced])
                    // What the operator did, or another's own table, is none.
                    let drift = try await agent.agent.history(limit: 10).drift.map(\.endpoint)
                    #expect(drift == (difference == .ownTable ? ["b1"] : []))
                }
                try await isRight(rig)
            }
        }

        @Test func `what was not read is known all the same`() async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                try rig.write(PolicyText.policy(PolicyText.udp("7000")), to: "a.yaml")
                try await rig.withAgent { _ in }
                try await rig.withAgent { agent in
                    #expect(await agent.agent.resumedTables == 2)
                    // A change finds everything in its place.
                    try await agent.change {
                        try rig.write(PolicyText.policy(PolicyText.udp("7001-7009")), to: "a.yaml")
                    }
                    let failed = await agent.status().endpoints.compactMap(\.lastError)
                    #expect(failed == [])
                }
                try await isRight(rig)
            }
        }

        /// The files are the same then, and the tables too.
        @Test func `an agent sees what expired while none ran`() async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                let end = Int64(Date().timeIntervalSince1970) + 4
                let text = Timestamp(milliseconds: end * 1000).description
                    .replacing(".000Z", with: "Z")
                let policy = PolicyText.policy(PolicyText.udp("7000"))
                try rig.write(
                    policy.replacing("from:", with: "expires: \"\(text)\"\nfrom:"), to: "a.yaml")
                try await rig.withAgent { _ in }
                try await rig.withAgent { agent in
                    #expect(await agent.agent.resumedTables == 2)
                    let live = try policies(rig)
                    #expect(live.contains("a-to-b"))
                }
                #expect(Int64(Date().timeIntervalSince1970) < end, "too slow for its moment")
                try await Task.sleep(for: .seconds(5))
                try await rig.withAgent { agent in
                    #expect(await agent.agent.resumedTables == 0)
                    let live = try policies(rig)
                    #expect(!live.isEmpty && !live.contains("a-to-b"))
                }
            }
        }

        private func policies(_ rig: Rig) throws -> [String] {
            try #require(try rig.reading(of: "b1")).state.rules.entries.map(\.rule.policy)
        }

        private func make(_ difference: Difference, _ rig: Rig) async throws {
            switch difference {
            case .nothing: return
            case .policy:
                try rig.write(PolicyText.policy(PolicyText.udp("7001")), to: "a.yaml")
            case .newFile:
                try rig.write(PolicyText.policy(PolicyText.tcp("80"), name: "more"), to: "b.yaml")
            case .badFile: try rig.write("kind: Polity\n", to: "b.yaml")
            case .address:
                let address = "\(Rig.address(200, .v4))/16"
                let device = try await rig.run("ip", "-o", "link", "show", "type", "veth", in: "b1")
                let name = device.output.split(separator: " ")[1].prefix { $0 != "@" && $0 != ":" }
                try await rig.run("ip", "address", "add", address, "dev", String(name), in: "b1")
            case .otherTable: _ = try await rig.nft("add table inet other", in: "b1")
            case .ownTable: _ = try await rig.nft("flush map inet ringfence rules", in: "b1")
            case .otherBuild:
                try await rewriteCheckpoint(rig) {
                    $0.replacingOccurrences(of: "\"origin\":\"", with: "\"origin\":\"another ")
                }
            case .damagedCheckpoint:
                let path = rig.state + "/checkpoint.json"
                let text = try String(contentsOfFile: path, encoding: .utf8)
                try text.replacingOccurrences(of: "\"generation\":1", with: "\"generation\":3")
                    .write(toFile: path, atomically: true, encoding: .utf8)
            case .noCheckpoint:
                try FileManager.default.removeItem(atPath: rig.state + "/checkpoint.json")
            }
        }

        /// Changes a checkpoint, with the checksum that belongs to it.
        private func rewriteCheckpoint(_ rig: Rig, _ change: (String) -> String) async throws {
            let path = rig.state + "/checkpoint.json"
            let text = try String(contentsOfFile: path, encoding: .utf8)
            let payload = change(String(text.split(separator: "\n")[0]))
            try payload.write(toFile: path, atomically: true, encoding: .utf8)
            let sum = try await Command(["sha256sum", path]).output.prefix(64)
            try (payload + "\nsha256 \(sum)\n")
                .write(toFile: path, atomically: true, encoding: .utf8)
        }

        /// An agent that has to read everything finds nothing to write but that it is the owner.
        private func isRight(_ rig: Rig) async throws {
            try FileManager.default.removeItem(atPath: rig.state + "/checkpoint.json")
            let names = ["a1", "b1"]
            let before = try names.map { try rig.rulesGeneration(of: $0) }
            try await rig.withAgent { agent in
                #expect(await agent.agent.resumedTables == 0)
                let after = try names.map { try rig.rulesGeneration(of: $0) }
                let expected = before.map { $0 + 1 }
                #expect(after == expected)
            }
        }
    }
}
