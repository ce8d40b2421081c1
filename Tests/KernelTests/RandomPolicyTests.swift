import Agent
import Foundation
import Lab
import Linux
import NetTypes
import Policy
import Reports
import TestSupport
import Testing

extension KernelTests {
    /// Real sockets against the reference evaluator, while random policies grow and shrink under one agent.
    @Suite struct RandomPolicyTests {
        /// How often policies change; RINGFENCE_CHANGES=500 makes 200,000 probes in each mode.
        private static let changes =
            ProcessInfo.processInfo.environment["RINGFENCE_CHANGES"].flatMap { Int($0) } ?? 12
        private static let probesOfChange = 400

        @Test(arguments: [HostFilterMode.off, .on, .only], Seeds.all.prefix(1))
        func `sockets get through where the evaluator says so`(
            _ mode: HostFilterMode, _ seed: UInt64
        ) async throws {
            let subnets = try [Prefix(parsing: "10.0.0.0/14"), Prefix(parsing: "fd00::/16")]
            try await Rig.with(Self.namespaces, in: subnets) { rig in
                var random = SeededGenerator(seed: seed)
                var policies = GrowingPolicies(seed: random.next())
                try policies.write(to: rig)
                let field = try ProbeField(rig)
                var tally = ProbeTally()
                // What was a tenant's stays closed when it is nobody's any more.
                var guarded: Set<NamespaceID> = []
                func configure(_ configuration: inout AgentConfiguration) {
                    configuration.hostFilter = mode
                    configuration.bpfFileSystem = rig.bpf
                }
                try await rig.withUnsettledAgent(configure) { agent in
                    _ = try Judge(policies, rig, &guarded)
                    for change in 0..<Self.changes {
                        try await agent.change {
                            policies.change()
                            try policies.write(to: rig)
                        }
                        try await agent.follow()
                        let judge = try Judge(policies, rig, &guarded)
                        let probes = field.probes(Self.probesOfChange, &random).filter {
                            mode != .off || judge.isSettledByTables($0.flow)
                        }
                        let wrong = try await judge.disagreements(of: probes, in: field, &tally)
                        let status = await agent.status()
                        for probe in wrong {
                            Issue.record(
                                "seed \(seed), change \(change), \(mode): \(probe), \(status.endpoints.map { "\($0.name) \($0.state)" })"
                            )
                        }
                        if !wrong.isEmpty { break }
                    }
                }
                print(
                    "random policies: \(mode): \(tally.passed) of \(tally.probes) probes passed,",
                    "\(tally.again) were asked again, at most \(policies.mostRules) rules")
                #expect(tally.passed > 0 && tally.passed < tally.probes)
            }
        }

        /// Namespaces that the policies tell apart.
        private static let namespaces: [LabNamespace] = {
            let all = SmallWorld().namespaces
            return [0, 1, 2, 3, 4, 5, 9].map { index in
                LabNamespace(name: "n\(index)", addresses: all[index].addresses)
            }
        }()
    }
}

extension RunningAgent {
    /// Waits until everything is in force; an endpoint may have an address that it may not use.
    fileprivate func follow() async throws {
        try await wait(for: "all endpoints followed", within: .seconds(60)) {
            await status().endpoints.allSatisfy { [.enforced, .conflict].contains($0.state) }
        }
    }
}

/// What came of the probes of a run.
struct ProbeTally {
    var probes = 0
    var passed = 0
    var again = 0
}

/// Random policies with a file that is at times very large.
private struct GrowingPolicies {
    private var policies: RandomPolicies
    private var random: SeededGenerator
    private var number = 0
    private var large = ""
    /// What lies in the policy directory, by name.
    private var written: [String: String] = [:]
    /// How many rules there were at most.
    private(set) var mostRules = 0

    init(seed: UInt64) {
        policies = RandomPolicies(seed: seed)
        random = SeededGenerator(seed: seed ^ 0x5eed)
    }

    mutating func change() {
        number += 1
        // Files grow by being edited, and the evaluator gets slower with them.
        if number % 40 == 0 { policies = RandomPolicies(seed: random.next()) }
        _ = policies.edit()
        if random.once(in: 5) { policies.replaceTenants() }
        guard random.once(in: 3) else { return }
        let count = random.pick([0, 10, 300, 1500])
        let tenants = ["ant", "bee", "cat", "dog"]
        let ports = (0..<count).map { "\(10_001 + 2 * $0)" }.joined(separator: ", ")
        large =
            count == 0
            ? ""
            : PolicyText.policy(
                PolicyText.udp(ports), PolicyText.tcp(ports), name: "large",
                from: "{tenant: \(random.pick(tenants))}", to: "{tenant: \(random.pick(tenants))}")
    }

    /// The files, by name; one is new each time, so that every change is one.
    private var files: [String: String] {
        var files: [String: String] = [:]
        for (path, text) in policies.texts {
            files[path.replacingOccurrences(of: "/", with: "-")] = text
        }
        if !large.isEmpty { files["large.yaml"] = large }
        files["change\(number).yaml"] = PolicyText.policy(
            PolicyText.udp("9"), name: "change", from: "{tenants: all}",
            to: "{cidr: 203.0.113.\(number % 250)/32}")
        return files
    }

    /// Writes what changed: first what others need, last what is new each time.
    mutating func write(to rig: Rig) throws {
        let files = files
        let changed = files.filter { written[$0.key] != $0.value }.keys
        for name in written.keys where files[name] == nil { try rig.remove(name) }
        let order = changed.sorted {
            let ranks = [$0, $1].map {
                $0.hasPrefix("tenants") ? 0 : $0.hasPrefix("change") ? 2 : 1
            }
            return (ranks[0], $0) < (ranks[1], $1)
        }
        for name in order {
            try rig.write(files[name] ?? "", to: name + "~")
            try rig.move(name + "~", to: name)
        }
        written = files
        mostRules = max(mostRules, try policySet().files.values.reduce(0) { $0 + $1.rules.count })
    }

    func policySet() throws -> PolicySet {
        try PolicySet(
            checking: files.sorted { $0.key < $1.key }.map {
                try PolicyFile(parsing: $0.value, path: $0.key)
            })
    }
}

/// The reference evaluator for what lies in the policy directory.
private struct Judge {
    private let policies: PolicySet
    private let topology: Topology
    /// Addresses that nothing may come from or go to: of namespaces that are, or were, claimed, and not an endpoint's.
    private let closed: Set<IPAddress>

    init(
        _ policies: borrowing GrowingPolicies, _ rig: Rig, _ guarded: inout Set<NamespaceID>
    ) throws {
        self.policies = try policies.policySet()
        let host = try Self.observed(rig.path("host"), rig.hostAddresses)
        let others = try rig.topology.namespaces.map {
            try Self.observed(rig.path($0.name), $0.addresses)
        }
        let topology = self.policies.topology(observed: others + [host], host: host.id)
        let owned = Dictionary(
            uniqueKeysWithValues: topology.endpoints.map { ($0.id, $0.addresses) })
        let shared = topology.conflicts.compactMap {
            if case .sharedNamespace(let name, _) = $0 { name } else { nil }
        }
        guarded.formUnion(owned.keys)
        guarded.formUnion(others.filter { shared.contains($0.name) }.map(\.id))
        closed = Set(
            others.filter { guarded.contains($0.id) }.flatMap { namespace in
                Set(namespace.interfaces.flatMap(\.addresses)).subtracting(
                    owned[namespace.id] ?? [])
            })
        self.topology = topology
    }

    /// Whether tables alone decide what the evaluator says: they don't look at the destination of what an endpoint
    /// gets, and let in what is for an address that it may not use, if its sender may call it.
    func isSettledByTables(_ flow: Flow) -> Bool { !closed.contains(flow.destination) }

    private func admits(_ flow: Flow) -> Bool {
        closed.isDisjoint(with: [flow.source, flow.destination])
            && policies.verdict(for: flow, in: topology).isAdmitted
    }

    private static func observed(
        _ path: String, _ addresses: [IPAddress]
    ) throws -> ObservedNamespace {
        ObservedNamespace(
            id: try NetworkNamespace(at: path).id, paths: [path], pids: [],
            interfaces: [
                ObservedInterface(
                    index: 2, name: "eth0", kind: "veth", hardwareAddress: [2, 0, 0, 0, 0, 1],
                    isUp: true, peerIndex: nil, controllerIndex: nil, addresses: addresses)
            ])
    }

    /// The probes whose fate is another than the evaluator says, though they were asked again for a while.
    func disagreements(
        of probes: [SocketProbe], in field: ProbeField, _ tally: inout ProbeTally
    ) async throws -> [String] {
        let expected = probes.map { admits($0.flow) }
        var passed = try await field.passed(probes)
        tally.probes += probes.count
        tally.passed += passed.count
        var wrong = probes.indices.filter { expected[$0] != passed.contains($0) }
        // A file that was saved a moment ago may be read a moment later.
        for _ in 0..<10 where !wrong.isEmpty {
            try await Task.sleep(for: .milliseconds(300))
            tally.again += wrong.count
            let asked = wrong
            passed = try await field.passed(asked.map { probes[$0] })
            wrong = asked.indices.filter { expected[asked[$0]] != passed.contains($0) }
                .map { asked[$0] }
        }
        return wrong.map {
            "\(probes[$0].flow): \(expected[$0] ? "admitted by the policies, lost" : "refused by the policies, passed")"
        }
    }
}
