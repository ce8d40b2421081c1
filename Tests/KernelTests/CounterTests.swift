import NetTypes
import Policy
import Reports
import Testing

extension KernelTests {
    /// What is counted is what was sent, whatever happens meanwhile.
    @Suite struct CounterTests {
        @Test(arguments: AddressFamily.allCases)
        func `what a rule admits, over a change and a restart`(_ family: AddressFamily) async throws
        {
            try await Rig.with { rig in
                try rig.writeTenants()
                try rig.write(PolicyText.policy(PolicyText.udp("7000")), to: "a.yaml")
                let listener = try rig.listener("b1", family, port: 7000)
                let floods = (0..<3).map {
                    Flood(
                        flows: 50, packetsPerFlow: 20, payload: 100,
                        firstPort: 20_000 + 100 * UInt16($0))
                }
                func send(_ flood: Flood) async throws {
                    try await flood.send(from: "a1", to: "b1", family, port: 7000, in: rig)
                }
                try await rig.withAgent { agent in
                    try await send(floods[0])
                    try await agent.change {
                        try rig.write(
                            PolicyText.policy(PolicyText.udp("8000"), name: "other"), to: "b.yaml")
                    }
                }
                // Nobody runs, and the kernel goes on counting.
                try await send(floods[1])
                try await rig.withAgent { agent in
                    try await send(floods[2])
                    let report = try await agent.counters()
                    let counts = try #require(report.rules.first { $0.policy == "a-to-b" }).counts
                    #expect(counts.packets == floods.reduce(0) { $0 + $1.packets })
                    #expect(counts.bytes == floods.reduce(0) { $0 + $1.bytes(family) })
                    #expect(counts.flows == floods.reduce(0) { $0 + UInt64($1.flows) })
                }
                _ = listener
            }
        }

        @Test func `what a rule admitted before it was taken out of its file for a while`()
            async throws
        {
            try await Rig.with { rig in
                try rig.writeTenants()
                let text = PolicyText.policy(PolicyText.udp("7000"))
                try rig.write(text, to: "a.yaml")
                let listener = try rig.listener("b1", .v4, port: 7000)
                let first = Flood(flows: 10, packetsPerFlow: 10, payload: 10)
                let second = Flood(flows: 10, packetsPerFlow: 10, payload: 10, firstPort: 21_000)
                try await rig.withAgent { agent in
                    try await first.send(from: "a1", to: "b1", .v4, port: 7000, in: rig)
                    try await agent.change { try rig.remove("a.yaml") }
                }
                try await rig.withAgent { agent in
                    try await agent.change { try rig.write(text, to: "a.yaml") }
                    try await second.send(from: "a1", to: "b1", .v4, port: 7000, in: rig)
                    let counts = try #require(try await agent.counters().rules.first).counts
                    #expect(counts.packets == first.packets + second.packets)
                    #expect(counts.bytes == first.bytes(.v4) + second.bytes(.v4))
                    #expect(counts.flows == 20)
                }
                _ = listener
            }
        }

        @Test(arguments: AddressFamily.allCases)
        func `what is refused, over a restart`(_ family: AddressFamily) async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                let floods = (0..<3).map {
                    Flood(
                        flows: 40, packetsPerFlow: 10, payload: 64,
                        firstPort: 20_000 + 100 * UInt16($0))
                }
                func send(_ flood: Flood) async throws {
                    try await flood.send(from: "a1", to: "b1", family, port: 7000, in: rig)
                }
                try await rig.withAgent { _ in try await send(floods[0]) }
                try await send(floods[1])
                try await rig.withAgent { agent in
                    try await send(floods[2])
                    // The first flows once more: known flows are counted, not told anew.
                    try await send(floods[0])
                    let sent = floods.reduce(floods[0].packets) { $0 + $1.packets }
                    let report = try await agent.counters()
                    let pair = try #require(
                        report.refused.first { $0.source == .tenant("a") && $0.reason == .noRule })
                    #expect(pair.destination == .tenant("b") && pair.direction == .egress)
                    #expect(pair.counts.packets == sent)
                    #expect(
                        pair.counts.bytes
                            == floods.reduce(floods[0].bytes(family)) { $0 + $1.bytes(family) })
                    #expect(pair.counts.flows == 120)
                    #expect(report.notRecorded == Tally())
                    let violations = await agent.violations()
                    let told = violations.filter { $0.destination.tenant == "b" }
                    #expect(told.reduce(0) { $0 + ($1.flows ?? 1) } == 120)
                    #expect(told.reduce(0) { $0 + $1.packets } == sent)
                }
            }
        }

        @Test(arguments: [true, false])
        func `more refused flows than there is room for`(_ isWatched: Bool) async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                let flood = Flood(flows: 9_000, packetsPerFlow: 2, payload: 32)
                func send() async throws {
                    try await flood.send(from: "a1", to: "b1", .v4, port: 7000, in: rig)
                }
                try await rig.withAgent { _ in if isWatched { try await send() } }
                if !isWatched { try await send() }
                try await rig.withAgent { agent in
                    let report = try await agent.counters()
                    let kept = report.refused.filter {
                        $0.source == .tenant("a") && $0.reason == .noRule
                    }
                    .reduce(Tally()) { $0 + $1.counts }
                    #expect(kept.packets + report.notRecorded.packets == flood.packets)
                    #expect(kept.bytes + report.notRecorded.bytes == flood.bytes(.v4))
                    // A flood is put together: few records that stand for all that was kept.
                    let told = await agent.violations().filter { $0.reason == .noRule }
                    #expect(told.count < 400)
                    #expect(told.reduce(0) { $0 + ($1.flows ?? 1) } == kept.flows)
                    #expect(told.reduce(0) { $0 + $1.packets } == kept.packets)
                    print(
                        "refused: \(flood.packets) packets, \(kept.packets) of \(kept.flows) flows kept,",
                        "\(report.notRecorded.packets) counted only")
                }
            }
        }
    }
}
