import Agent
import Foundation
import Linux
import NetTypes
import Policy
import Reports
import Testing

extension KernelTests {
    /// A tenant's root makes two transactions at a time in its own namespace, each of which takes the kernel
    /// about a second: until they are done it begins none anywhere on the machine.
    @Suite(.alone) struct HeldUpTests {
        private func policy(_ ports: String) -> String {
            PolicyText.policy(PolicyText.udp(ports))
        }

        private func giants(_ rig: Rig) async throws -> Noise {
            let noise = try Noise(.giants, threads: 2, seconds: 60, in: rig.namespace("c1"))
            try await wait(for: "the first of them", within: .seconds(30)) { noise.count > 1 }
            return noise
        }

        private func prepare(_ rig: Rig) throws {
            try rig.write(
                PolicyText.documents(
                    PolicyText.tenant("a"), PolicyText.tenant("b"), PolicyText.tenant("c")),
                to: "tenants.yaml")
            try rig.write(policy("7000"), to: "a.yaml")
        }

        @Test func `the host filter ends a rule at once, and questions are answered`()
            async throws
        {
            try await Rig.with(["a1", "b1", "c1"]) { rig in
                try prepare(rig)
                try await rig.withGuards(.on) { agent in
                    let noise = try await giants(rig)
                    var times: [Double] = []
                    var questions = Duration.zero
                    for _ in 0..<5 {
                        let stream = try NumberedStream(
                            from: "a1", to: "b1", .v4, port: 7000, in: rig)
                        try await letTrafficFlow()
                        let begun = monotonicTime()
                        try rig.write(policy("7001"), to: "a.yaml")
                        for _ in 0..<20 {
                            let asked = ContinuousClock.now
                            _ = await agent.status()
                            questions = max(questions, ContinuousClock.now - asked)
                            try await Task.sleep(for: .milliseconds(20))
                        }
                        let last = try #require(try await stream.finish().lastArrived)
                        times.append(last > begun ? Double(last - begun) / 1e6 : 0)
                        // The tables follow when the kernel lets them.
                        let before = await agent.generation()
                        try rig.write(policy("7000"), to: "a.yaml")
                        try await wait(for: "the tables", within: .seconds(60)) {
                            await agent.generation() > before
                        }
                        try await agent.settle(.seconds(60))
                    }
                    let count = try await noise.end()
                    print(
                        "held up: \(count) transactions; cut after \(times) ms; answers in \(questions)"
                    )
                    #expect(times.max() ?? .infinity < 1500)
                    #expect(questions < .seconds(3))
                }
            }
        }

        @Test func `a namespace that goes meanwhile holds up nobody`() async throws {
            try await Rig.with(["a1", "b1", "c1"]) { rig in
                try prepare(rig)
                try await rig.withAgent { agent in
                    let noise = try await giants(rig)
                    try NetworkNamespace.unmount(at: rig.path("c1"))
                    var questions = Duration.zero
                    var left = false
                    for _ in 0..<100 {
                        let asked = ContinuousClock.now
                        left = await agent.status().endpoints.count == 2
                        questions = max(questions, ContinuousClock.now - asked)
                        try await Task.sleep(for: .milliseconds(20))
                    }
                    let count = try await noise.end()
                    print("held up: \(count) transactions of who went; answers in \(questions)")
                    #expect(left)
                    #expect(questions < .seconds(3))
                }
            }
        }

        @Test func `tables follow in the end, and nothing that was counted is lost`()
            async throws
        {
            try await Rig.with(["a1", "b1", "c1"]) { rig in
                try prepare(rig)
                try await rig.withAgent { agent in
                    let stream = try NumberedStream(from: "a1", to: "b1", .v4, port: 7000, in: rig)
                    let noise = try await giants(rig)
                    // The last but one takes the rule away in the midst of the noise.
                    for number in 1...6 {
                        try rig.write(
                            policy(number == 5 ? "7001" : "7000, \(7001 + number)"), to: "a.yaml")
                        try await Task.sleep(for: .milliseconds(150))
                    }
                    try await wait(for: "counters", within: .seconds(60)) {
                        (try? await agent.counters()) != nil
                    }
                    try await noise.end()
                    try await agent.settle()
                    try await agent.change { try rig.write(policy("7000"), to: "a.yaml") }
                    let record = try await stream.finish()
                    let arrived = record.arrivals.values.reduce(0) { $0 + UInt64($1) }
                    let endpoints = try await agent.counters().endpoints
                    let called = endpoints.first { $0.endpoint == "b1" }
                    #expect(called?.admitted.packets == arrived)
                }
            }
        }
    }
}
