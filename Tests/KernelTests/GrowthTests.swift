import Agent
import Foundation
import HostRules
import Lab
import Linux
import NetTypes
import Reports
import Testing

extension KernelTests {
    /// The host filter's maps follow the policies while packets flow.
    @Suite struct GrowthTests {
        private static let modes: [HostFilterMode] = [.only, .on]

        /// How many admissions the policies grow to; RINGFENCE_GROWTH=100000 is the whole way.
        private static let most =
            ProcessInfo.processInfo.environment["RINGFENCE_GROWTH"].flatMap { Int($0) } ?? 20_000

        @Test(arguments: modes)
        func `packets pass and are counted alike while maps grow and shrink`(
            _ mode: HostFilterMode
        ) async throws {
            try await Rig.with { rig in
                try rig.prepareGrowth()
                try await rig.withGrowingGuards(mode) { agent in
                    let traffic = try GrowthTraffic(in: rig)
                    let first = try rig.latestMaps()
                    for count in [Self.most / 10, Self.most] {
                        try await agent.follow { try rig.admit(count) }
                        try await agent.expectEnforced()
                    }
                    let largest = try rig.latestMaps()
                    #expect(largest > first)
                    try await agent.follow { try rig.admit(4) }
                    try await wait(for: "smaller maps", within: .seconds(30)) {
                        try rig.latestMaps() > largest
                    }
                    try await agent.expectEnforced()
                    try await letTrafficFlow()
                    try await traffic.judge(by: agent, mode, "\(Self.most) admissions")
                }
            }
        }

        @Test(arguments: modes)
        func `what exceeds the maximum is refused as a whole, and is not called enforced`(
            _ mode: HostFilterMode
        ) async throws {
            try await Rig.with { rig in
                try rig.prepareGrowth()
                func configure(_ configuration: inout AgentConfiguration) {
                    configuration.hostFilter = mode
                    configuration.bpfFileSystem = rig.bpf
                    configuration.mostOfHostFilter.admissions = 3000
                }
                try await rig.withAgent(configure) { agent in
                    let traffic = try GrowthTraffic(in: rig)
                    let before = await agent.generation()
                    try await agent.change { try rig.admit(8000) }
                    let status = await agent.status()
                    #expect(status.agent.generation > before)
                    for endpoint in status.endpoints {
                        #expect(endpoint.state == .dirty)
                        #expect(endpoint.generation == before)
                        #expect(endpoint.lastError?.contains("3000 at most") == true)
                    }
                    // Others are followed meanwhile, and what was in force stays so.
                    try await agent.follow { try rig.admit(400) }
                    try await agent.expectEnforced()
                    let generations = await agent.status().endpoints.map(\.generation)
                    #expect(generations.allSatisfy { $0 ?? 0 > before })
                    try await agent.change { try rig.admit(8000) }
                    try await traffic.judge(by: agent, mode, "too much")
                }
                // The next agent finds the state that the filter took last.
                let agent = try RunningAgent(rig, configure)
                try await wait(for: "the endpoints") {
                    await agent.status().endpoints.map(\.state) == [.dirty, .dirty]
                }
                try rig.admit(4)
                try await agent.settle()
                try await agent.expectEnforced()
                try await agent.stop()
            }
        }

        @Test func `an agent that is killed while maps grow loses no packet and no count`()
            async throws
        {
            try await Rig.with { rig in
                try rig.prepareGrowth()
                // An agent as a process of its own mounts no other.
                let root = "/sys/fs/bpf"
                defer { rig.release(root) }
                let options = ["--host-filter", "only"]
                try await rig.withGrowingGuards(.only, root: root) { _ in }
                let traffic = try GrowthTraffic(in: rig)
                var count = 1500
                var generations: [Int] = []
                for delay in [0, 5, 15, 40, 80, 160] {
                    let agent = try AgentProcess(rig, options)
                    try await wait(for: "the agent") { await rig.isReady() }
                    generations.append(try rig.latestMaps(root))
                    count += count
                    try rig.admit(count)
                    try await letTrafficFlow(.milliseconds(10 + delay))
                    try agent.kill()
                }
                print("growth: killed at the sets", generations)
                try await rig.withGrowingGuards(.only, root: root) { agent in
                    try await agent.expectEnforced()
                    #expect(try rig.mapFolders(root).count == 1)
                    #expect(try rig.latestMaps(root) > generations[0])
                    try await letTrafficFlow()
                    try await traffic.judge(by: agent, .only, "killed")
                }
            }
        }
    }
}

extension RunningAgent {
    /// Makes a change and waits as long as a debug build may need for a large one.
    fileprivate func follow(_ work: () throws -> Void) async throws {
        let before = await generation()
        try work()
        try await wait(for: "generation \(before + 1)", within: .seconds(60)) {
            await generation() > before
        }
    }

    /// Nothing is called anything but enforced.
    fileprivate func expectEnforced() async throws {
        try await settle()
        let status = await status()
        #expect(status.agent.hostFilterProblem == nil)
        #expect(status.endpoints.allSatisfy { $0.lastError == nil })
    }
}

extension Rig {
    fileprivate func prepareGrowth() throws {
        try writeTenants()
        try write(PolicyText.policy(PolicyText.udp("7000, 7001")), to: "a.yaml")
        try admit(4)
    }

    /// Has policies admit something about so many times, each time another port.
    fileprivate func admit(_ count: Int) throws {
        let ports = (0..<max(count / 4, 1)).map { "\(10_001 + 2 * $0)" }.joined(separator: ", ")
        try write(
            PolicyText.policy(PolicyText.udp(ports), PolicyText.tcp(ports), name: "many"),
            to: "many.yaml")
    }

    fileprivate func withGrowingGuards(
        _ mode: HostFilterMode, root: String? = nil,
        _ work: (RunningAgent) async throws -> Void
    ) async throws {
        try await withAgent(
            {
                $0.hostFilter = mode
                $0.bpfFileSystem = root ?? bpf
                $0.shrinkPatience = .zero
            }, work)
    }

    /// Where sets of maps are pinned.
    fileprivate func mapFolders(_ root: String? = nil) throws -> [String] {
        let home = (root ?? bpf) + "/ringfence/\(try namespace("host").id.inode)"
        return try FileManager.default.contentsOfDirectory(atPath: home)
            .filter { $0.hasPrefix("maps-") }
    }

    /// The number of the latest set of maps.
    fileprivate func latestMaps(_ root: String? = nil) throws -> Int {
        try mapFolders(root).compactMap { $0.split(separator: "-").last.flatMap { Int($0) } }
            .max() ?? 0
    }

    fileprivate func release(_ root: String) {
        try? HostGuards(root: root, hostNamespace: lab.fabricPath).remove()
    }

    /// Whether the agent that runs as a process of its own has everything in force.
    fileprivate func isReady() async -> Bool {
        guard
            let answer = try? await Command([
                "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--unix-socket",
                folder + "/socket", "http://localhost/readyz",
            ])
        else { return false }
        return answer.output.hasPrefix("200")
    }
}

/// Numbered packets of both families to ports that are open all the time, and to one that never is.
private struct GrowthTraffic {
    private let open: [NumberedStream]
    private let closed: [NumberedStream]

    init(in rig: Rig) throws {
        func stream(
            _ family: AddressFamily, _ port: UInt16, _ flows: NumberedStream.Flows
        ) throws -> NumberedStream {
            try NumberedStream(from: "a1", to: "b1", family, port: port, flows, in: rig)
        }
        open = try AddressFamily.allCases.flatMap {
            [try stream($0, 7000, .one), try stream($0, 7001, .many)]
        }
        closed = try AddressFamily.allCases.map { try stream($0, 7050, .one) }
    }

    /// Ends the traffic: what is open came and was counted, what is closed did not and was counted.
    func judge(by agent: RunningAgent, _ mode: HostFilterMode, _ name: String) async throws {
        var (sent, refused) = (UInt64(0), UInt64(0))
        for stream in open {
            let record = try await stream.finish()
            #expect(record.lost(0...) == [], "\(name)")
            #expect(record.duplicates == 0)
            sent += UInt64(record.sent.count { $0.error == 0 })
        }
        for stream in closed {
            let record = try await stream.finish()
            #expect(record.arrivals.isEmpty, "\(name)")
            refused += UInt64(record.sent.count { $0.error == 0 })
        }
        let counters = try await agent.counters()
        let rule = try #require(counters.rules.first { $0.policy == "a-to-b" })
        #expect(rule.hostFilter?.packets == sent, "\(name)")
        // The host's bridge sends each endpoint a frame of its own.
        let pairs = counters.refused.filter { $0.layer == .hostFilter }
        let told = pairs.first { $0.source.name == "a" && $0.destination.name == "b" }
        #expect(told?.counts.packets ?? 0 == refused, "\(name), \(pairs)")
        let total = counters.endpoints.first { $0.tenant == "a" }?.refusedByHostFilter?.packets
        let ofA = pairs.filter { [$0.source.name, $0.destination.name].contains("a") }
        #expect(total == ofA.reduce(0) { $0 + $1.counts.packets }, "\(name), \(pairs)")
        print("growth: \(mode), \(name): \(sent) passed and counted, \(refused) refused")
    }
}
