import Compiler
import KernelReader
import Linux
import NetTypes
import Policy
import TestSupport
import Testing
import Verifier

/// What the compiler makes of random policies is proven, endpoint by endpoint, and stays quiet.
@Suite(.serialized) struct ProofTests {
    @Test(arguments: Seeds.all)
    func `what the agent puts into force is proven`(_ seed: UInt64) throws {
        let stations = try Station.all(.drop)
        let world = SmallWorld(stations: stations.map(\.id))
        let readers = try stations.map { try Reader($0) }
        var random = SeededGenerator(seed: seed)
        var policies = RandomPolicies(seed: random.next())
        var (proofs, classes) = (0, 0)
        for _ in 0..<6 {
            if random.once(in: 3) { policies.replaceTenants() } else { _ = policies.edit() }
            let set = try policies.policySet()
            let topology = world.topology(of: set)
            let compilation = Compilation(of: set, for: topology)
            let index = PolicyIndex(set, in: topology)
            for (station, reader) in zip(stations, readers) {
                guard let place = topology.endpoints.firstIndex(where: { $0.id == station.id }),
                    let state = compilation.states[station.id]
                else { continue }
                try station.enforce(state)
                let audit = EndpointProof(
                    index, reader.subject(place, try reader.ruleset())
                ).result()
                proofs += 1
                classes += audit.coverage.classes
                let complaint = audit.complaint
                #expect(complaint == nil, "seed \(seed)")
                if complaint != nil { return }
            }
        }
        print("seed \(seed): \(proofs) proofs, \(classes) classes")
        #expect(proofs > 0)
    }

    /// A namespace as an audit reads it.
    struct Reader {
        let kernel: Box
        let addresses: [IPAddress]

        final class Box: Sendable {
            let reader: RulesetReader

            init(_ station: Station) throws {
                reader = try RulesetReader(in: station.openNamespace())
            }
        }

        init(_ station: Station) throws {
            kernel = try Box(station)
            addresses = try station.command.run("ip -o addr show dev \(Tunnel.name)")
                .split(separator: "\n")
                .compactMap { line in
                    line.split(separator: " ").dropFirst(3).first?.split(separator: "/").first
                        .flatMap { IPAddress($0) }
                }
        }

        /// The ruleset without what the tests look through.
        func ruleset() throws -> Ruleset {
            var ruleset = try kernel.reader.read()
            ruleset.tables.removeAll { $0.name == "observer" }
            return ruleset
        }

        func subject(_ place: Int, _ ruleset: Ruleset) -> EndpointSubject {
            EndpointSubject(
                index: place, addresses: addresses, interfaces: ForeignStation.interfaces,
                ruleset: ruleset)
        }
    }
}

extension EndpointAudit {
    /// What keeps the endpoint from being proven, in words.
    var complaint: String? {
        if outcome == .proven { return nil }
        let found = findings.prefix(3).map { finding in
            "\(finding.kind) \(finding.packet)\n  policy \(finding.policy.passes): "
                + "\(finding.policy.reason) \(finding.policy.rule?.place.description ?? "")\n  kernel: "
                + finding.kernel.places.map(\.description).joined(separator: "\n          ")
        }
        return (found + unproven.prefix(3).map { "\($0.place?.description ?? "") \($0.reason)" })
            .joined(separator: "\n")
    }
}
