import Agent
import Foundation
import Linux
import NetTypes
import Nftables
import Policy
import Reports
import Rules
import Testing

extension KernelTests {
    /// A tenant's root changes rulesets of its own without a pause: it keeps no rule alive by that, and holds
    /// nobody up.
    @Suite(.alone) struct NoiseTests {
        private static let kinds: [(Noise.Kind, Int)] = [(.tables, 4), (.chains, 2)]

        /// More admissions than one question asks for by name.
        private static let many = list(300)

        /// Every other port from 7000 on.
        private static func list(_ count: Int) -> String {
            (0..<count).map { "\(7000 + 2 * $0)" }.joined(separator: ", ")
        }

        @Test(arguments: kinds)
        func `a rule ends in time, and nothing that it counted is lost`(
            _ kind: Noise.Kind, threads: Int
        ) async throws {
            try await Rig.with(["x1", "b1", "c1"]) { rig in
                try rig.write(
                    PolicyText.documents(PolicyText.tenant("b"), PolicyText.tenant("c")),
                    to: "tenants.yaml")
                try await rig.withAgent { agent in
                    let noise = try Noise(
                        kind, threads: threads, seconds: 30, in: rig.namespace("b1"))
                    var rounds: [Round] = []
                    for _ in 0..<5 { rounds.append(try await round(rig)) }
                    let count = try await noise.end()
                    #expect(count > 1000)
                    for endpoint in 0..<2 {
                        let times = rounds.map { $0.times[endpoint] }.sorted()
                        print(
                            "noise: \(count) transactions of \(kind) in b1; "
                                + "cut at \(["b1", "c1"][endpoint]) after \(times) ms")
                        #expect(times[2] < 250 && times[4] < 1000)
                    }
                    try await agent.change { try save(Self.many, to: "b", rig) }
                    let rules = try await agent.counters().rules
                    let counts = rules.filter { $0.policy == "to-b" }.map(\.counts)
                    try #require(counts.count == 1)
                    #expect(counts[0].packets == rounds.reduce(0) { $0 + $1.arrivals })
                    #expect(counts[0].flows == 5)
                }
            }
        }

        /// What came of one removal of a rule.
        private struct Round {
            /// How many milliseconds after it the last packet was sent that passed, at either endpoint.
            var times: [Double] = []
            /// How many packets came to the first of them.
            var arrivals: UInt64 = 0
        }

        /// Takes a rule of the noisy endpoint away, and a moment later one of another.
        private func round(_ rig: Rig) async throws -> Round {
            try save(Self.many, to: "b", rig)
            try save("7000", to: "c", rig)
            var streams: [NumberedStream] = []
            for name in ["b1", "c1"] {
                streams.append(try NumberedStream(from: "x1", to: name, .v4, port: 7000, in: rig))
            }
            try await Task.sleep(for: .milliseconds(700))
            var begun: [UInt64] = []
            for tenant in ["b", "c"] {
                begun.append(monotonicTime())
                try save("7001", to: tenant, rig)
                try await Task.sleep(for: .milliseconds(2))
            }
            try await Task.sleep(for: .milliseconds(1200))
            var round = Round()
            for (stream, begun) in zip(streams, begun) {
                let record = try await stream.finish()
                let last = try #require(record.lastArrived, "nothing passed at all")
                round.times.append(last > begun ? Double(last - begun) / 1e6 : 0)
                if round.times.count == 1 {
                    round.arrivals = record.arrivals.values.reduce(0) { $0 + UInt64($1) }
                }
            }
            return round
        }

        private func save(_ ports: String, to tenant: String, _ rig: Rig) throws {
            let caller = "{cidr: \(try rig.address("x1", .v4))/32}"
            try rig.write(
                PolicyText.policy(
                    PolicyText.udp(ports), name: "to-\(tenant)", from: caller,
                    to: "{tenant: \(tenant)}"),
                to: "\(tenant).yaml")
        }

        @Test(arguments: kinds)
        func `an agent that starts meanwhile takes its tables over`(
            _ kind: Noise.Kind, threads: Int
        ) async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                // So many that no list of them comes to its end without a change.
                try rig.write(PolicyText.policy(PolicyText.udp(Self.list(1500))), to: "a.yaml")
                try await rig.withAgent { _ in }
                let noise = try Noise(kind, threads: threads, seconds: 30, in: rig.namespace("b1"))
                try rig.write(PolicyText.policy(PolicyText.udp("7001")), to: "a.yaml")
                let begun = ContinuousClock.now
                try await rig.withAgent { _ in
                    let time = ContinuousClock.now - begun
                    print("noise: started in \(time), after \(noise.count) transactions")
                    #expect(noise.count > 10)
                    #expect(time < .seconds(5))
                    // Who doesn't own the table can't read it meanwhile.
                    try await noise.end()
                    #expect(try ports(of: "b1", rig) == [7001...7001])
                }
            }
        }

        /// Whoever is root in a namespace before the agent comes can have a table of that name there.
        @Test(arguments: kinds)
        func `a table that no agent made is replaced meanwhile`(
            _ kind: Noise.Kind, threads: Int
        ) async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                try rig.write(PolicyText.policy(PolicyText.udp("7001")), to: "a.yaml")
                let table =
                    "add table inet ringfence\nadd chain inet ringfence open "
                    + "{ type filter hook input priority 0; policy accept; }\n"
                let rules = (0..<5000).map { _ in "add rule inet ringfence open counter\n" }
                let file = rig.folder + "/table"
                try (table + rules.joined()).write(
                    toFile: file, atomically: true, encoding: .utf8)
                let made = try await rig.nft("-f", file, in: "b1")
                try #require(made.status == 0, "\(made.output)")
                let noise = try Noise(kind, threads: threads, seconds: 30, in: rig.namespace("b1"))
                try await rig.withAgent { _ in
                    try await noise.end()
                    #expect(try ports(of: "b1", rig) == [7001...7001])
                }
            }
        }

        private func ports(of name: String, _ rig: Rig) throws -> Set<ClosedRange<UInt16>> {
            let reading = try #require(try rig.reading(of: name))
            #expect(reading.isIntact && reading.owner != nil)
            // Within a tenant everything is admitted.
            return Set(reading.state.ingress.filter { $0.protocols == 17...17 }.map(\.ports))
        }

        /// The kernel counts through all chains for each part of a list of them.
        @Test func `more chains than can be followed hold nobody up`() async throws {
            try await Rig.with { rig in
                try rig.writeTenants()
                try Noise.fill(chains: 120_000, in: rig.namespace("b1"))
                let begun = ContinuousClock.now
                try await rig.withAgent { agent in
                    #expect(ContinuousClock.now - begun < .seconds(2))
                    try await wait(for: "the look to be given up") {
                        try await agent.agent.drift(DriftQuestion()).drift.contains {
                            $0.endpoint == "b1" && $0.kind == .otherTable
                                && $0.change.hasPrefix("more chains than can be followed")
                        }
                    }
                    let id = try rig.namespace("b1").id
                    #expect(await agent.agent.isListening(in: id) == false)
                    for ports in [Self.many, "7001"] {
                        let change = try await agent.change {
                            try rig.write(PolicyText.policy(PolicyText.udp(ports)), to: "a.yaml")
                        }
                        #expect(change.inForce - change.begun < 1_000_000_000)
                    }
                    #expect(try ports(of: "b1", rig) == [7001...7001])
                    #expect(try await agent.agent.drift(DriftQuestion()).drift.count == 1)
                }
            }
        }

        @Test(arguments: kinds)
        func `a table that is ours is read at once`(
            _ kind: Noise.Kind, threads: Int
        ) async throws {
            let namespace = try NetworkNamespace.temporary()
            let table = EndpointTable(
                try namespace.run { () throws(SystemError) in try NetfilterSocket() })
            let peers = Mark.peerClass(hash: 7)
            let state = EndpointState(
                own: [.v4(0x0a00_0001)],
                peers4: [PeerRange(addresses: 0x0a00_0002...0x0a00_0003, peerClass: peers)],
                ingress: (1...2000).map {
                    Admission(
                        peerClass: peers, protocols: 6...6, ports: $0...$0, rule: .rule(hash: 1))
                },
                rules: RuleTable([
                    (
                        mark: Mark.rule(hash: 1),
                        rule: LiveRule(policy: "p", id: RuleID(rawValue: 1), direction: .ingress)
                    )
                ]))
            _ = try table.apply(state.changes(from: nil), presence: .absent)
            let noise = try Noise(kind, threads: threads, seconds: 30, in: namespace)
            var slowest = Duration.zero
            for _ in 0..<10 {
                let start = ContinuousClock.now
                let reading = try table.read()
                #expect(reading?.isIntact == true && reading?.state == state)
                _ = try table.traffic()
                _ = try table.refusals()
                #expect(try table.counts().rules[.rule(hash: 1)]?.flows == 0)
                slowest = max(slowest, .now - start)
            }
            print("noise: \(try await noise.end()) transactions; read in \(slowest) at most")
            #expect(slowest < .seconds(1))
        }
    }
}
