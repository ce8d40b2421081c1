import Agent
import Foundation
import Lab
import Linux
import NetTypes
import Policy
import Reports
import Testing

extension KernelTests {
    /// One tenant does something without a pause: others don't wait for it, and in the end it is followed itself.
    @Suite(.alone) struct HostileTests {
        private func policies(_ agent: RunningAgent) async throws -> Set<String> {
            let report = try await agent.agent.rules(RulesQuestion(limit: 10_000))
            return Set((report?.rules ?? []).map(\.rule.policy))
        }

        private func addresses(_ agent: RunningAgent) async throws -> Set<IPAddress> {
            let endpoints = await agent.status().endpoints
            return Set(try #require(endpoints.first { $0.name == "a1" }).addresses)
        }

        private func save(_ name: String, port: Int, to file: String, _ rig: Rig) throws {
            try rig.write(
                PolicyText.policy(PolicyText.udp("\(port)"), name: name), to: "." + file)
            try rig.move("." + file, to: file)
        }

        /// Saves somebody's policies, each as soon as the one before is in force.
        private func saveOthers(_ agent: RunningAgent, _ rig: Rig) async throws {
            for number in 0..<10 {
                try save("other-\(number)", port: 7000 + number, to: "other.yaml", rig)
                try await wait(for: "another's policy \(number)", within: .seconds(2)) {
                    try await policies(agent).contains("other-\(number)")
                }
            }
        }

        @Test func `addresses that never rest`() async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                try await rig.withAgent { agent in
                    let routes = try rig.routes(of: "a1")
                    try await agent.settle()
                    let before = try await addresses(agent)
                    let flood = Worker {
                        for number in 0..<20_000 {
                            let address = Rig.address(300 + number % 50, .v4)
                            try routes.add(address, 16)
                            try routes.remove(address, 16)
                        }
                    }
                    try await saveOthers(agent, rig)
                    try await flood.value()
                    let last = Rig.address(299, .v6)
                    try routes.add(last, 64)
                    try await wait(for: "the last address") {
                        try await addresses(agent) == before.union([last])
                    }
                    try await agent.settle()
                }
            }
        }

        @Test func `a policy that is saved again and again`() async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                try await rig.withAgent { agent in
                    let flood = Worker {
                        for number in 0..<5_000 {
                            try save(
                                "flood-\(number)", port: 20_000 + number, to: "flood.yaml", rig)
                        }
                    }
                    try await saveOthers(agent, rig)
                    try await flood.value()
                    try await wait(for: "the last policy") {
                        try await policies(agent).isSuperset(of: ["other-9", "flood-4999"])
                    }
                    let flooding = try await policies(agent).filter { $0.hasPrefix("flood-") }
                    #expect(flooding == ["flood-4999"])
                }
            }
        }

        @Test func `namespaces that are born and die`() async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                try await rig.withAgent { agent in
                    let folder = rig.lab.namespaceFolder
                    let flood = Worker {
                        for number in 0..<500 {
                            let path = folder + "/a-born-\(number)"
                            try NetworkNamespace.temporary().mount(at: path)
                            try NetworkNamespace.unmount(at: path)
                        }
                    }
                    try await saveOthers(agent, rig)
                    try await flood.value()
                    let last = folder + "/a-last"
                    try NetworkNamespace.temporary().mount(at: last)
                    defer { try? NetworkNamespace.unmount(at: last) }
                    try await wait(for: "the last namespace, and no other") {
                        let endpoints = await agent.status().endpoints
                        return endpoints.contains { $0.name == "a-last" } && endpoints.count == 3
                            && endpoints.allSatisfy { $0.state == .enforced }
                    }
                }
            }
        }
    }
}
