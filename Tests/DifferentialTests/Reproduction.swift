import Compiler
import NetTypes
import Policy
import Rules
import TestSupport

/// The smallest set of files found that shows a disagreement.
struct Reproduction: CustomStringConvertible {
    let description: String

    /// Takes away one policy file after another as long as the packet's fate stays wrong.
    init(_ item: Case, of texts: [String: String], world: SmallWorld, at station: Station) throws {
        var texts = texts
        for path in texts.keys.sorted() where path.hasPrefix("policies/") {
            var fewer = texts
            fewer[path] = nil
            if try Trial(item.probe, fewer, world, station).isWrong { texts = fewer }
        }
        let trial = try Trial(item.probe, texts, world, station)
        let files = texts.sorted { $0.key < $1.key }.map { "# \($0.key)\n\($0.value)" }
        description = """
            \(item.probe)
            at \(trial.endpoint?.name ?? "nobody") \(trial.endpoint?.addresses ?? [])
            the evaluator says: \(trial.fate.map(\.description) ?? "nothing")
            the kernel says: \(trial.hasPassed ? "accepted" : "refused")
            \(files.joined(separator: "---\n"))
            """
    }

    /// One packet under other files.
    private struct Trial {
        let endpoint: Endpoint?
        let fate: Fate?
        let hasPassed: Bool

        var isWrong: Bool { fate.map { $0.passes != hasPassed } ?? false }

        init(
            _ probe: Probe, _ texts: [String: String], _ world: SmallWorld, _ station: Station
        ) throws {
            var files: [PolicyFile] = []
            for (path, text) in texts { files.append(try PolicyFile(parsing: text, path: path)) }
            let policies = try PolicySet(checking: files)
            let topology = world.topology(of: policies)
            endpoint = topology.endpoints.first { $0.id == station.id }
            guard let endpoint else {
                (fate, hasPassed) = (nil, false)
                return
            }
            let state = Compilation(of: policies, for: topology).states[endpoint.id] ?? .closed
            let fate = policies.fate(of: probe, at: endpoint, in: topology)
            try station.enforce(state)
            let batch = try Batch([Case(probe, number: 1, fate: fate)], to: station)
            hasPassed = batch.misjudged.isEmpty == fate.passes
            self.fate = fate
        }
    }
}
