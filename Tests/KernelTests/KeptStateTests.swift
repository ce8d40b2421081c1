import Foundation
import NetTypes
import Policy
import Reports
import Rules
import Testing

extension KernelTests {
    /// What a disk changed comes into force nowhere.
    @Suite struct KeptStateTests {
        @Test func `a changed bit in what is kept of a bad file opens nothing`() async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                try rig.write(PolicyText.policy(PolicyText.tcp("5000")), to: "a.yaml")
                try rig.write(
                    PolicyText.policy(PolicyText.tcp("6000"), name: "other"), to: "b.yaml")
                try await rig.withAgent { _ in }
                let copy = rig.state + "/in-force" + rig.policies + "/a.yaml"
                try rig.write("kind: Polity\n", to: "a.yaml")
                try damage(copy, "5000", "5001")
                try await rig.withAgent { agent in
                    let ports = try openPorts(rig)
                    #expect(ports == [6000])
                    let errors = await agent.status().policies.errors
                    #expect(errors.contains { $0.place.file == copy })
                    #expect(errors.contains { $0.place.file == rig.file("a.yaml") })
                    // A good file ends it.
                    try await agent.change {
                        try rig.write(PolicyText.policy(PolicyText.tcp("5000")), to: "a.yaml")
                    }
                    #expect(try openPorts(rig) == [5000, 6000])
                    #expect(await agent.status().policies.errors.isEmpty)
                }
            }
        }

        @Test func `a damaged copy of a good file costs no other its rules`() async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                try rig.write(PolicyText.policy(PolicyText.tcp("5000")), to: "a.yaml")
                try await rig.withAgent { _ in }
                try rig.write("kind: Polity\n", to: "a.yaml")
                let copy = rig.state + "/in-force" + rig.policies + "/tenants.yaml"
                try damage(copy, "name: b", "name: c")
                try await rig.withAgent { agent in
                    let ports = try openPorts(rig)
                    #expect(ports == [5000])
                    let errors = await agent.status().policies.errors
                    #expect(Set(errors.map(\.place.file)) == [rig.file("a.yaml")])
                }
                // It was kept again.
                try await rig.withAgent { _ in
                    let ports = try openPorts(rig)
                    #expect(ports == [5000])
                }
            }
        }

        @Test func `a damaged ledger is put aside and named`() async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                try await rig.withAgent { _ in }
                let ledger = rig.state + "/ledger.json"
                try damage(ledger, "\"generation\":1", "\"generation\":5")
                try await rig.withAgent { agent in
                    #expect(await agent.generation() < 5)
                    let errors = await agent.status().policies.errors
                    #expect(errors.map(\.place.file) == [ledger])
                    #expect(FileManager.default.fileExists(atPath: ledger + ".damaged"))
                }
            }
        }

        private func damage(_ path: String, _ before: String, _ after: String) throws {
            let text = try String(contentsOfFile: path, encoding: .utf8)
            try #require(text.contains(before), "\(text)")
            try text.replacingOccurrences(of: before, with: after)
                .write(toFile: path, atomically: false, encoding: .utf8)
        }

        private func openPorts(_ rig: Rig) throws -> [UInt16] {
            let state = try #require(try rig.reading(of: "b1")).state
            // Port 0 is what a tenant's own endpoints say to each other.
            return Set(state.ingress.map(\.ports.lowerBound)).subtracting([0]).sorted()
        }
    }
}
