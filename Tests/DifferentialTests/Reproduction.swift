import Compiler
import NetTypes
import Policy
import Rules
import TestSupport

/// The smallest set of files found that shows a disagreement.
struct Reproduction: CustomStringConvertible {
    let description: String

    /// Takes away one policy file after another as long as a judge stays wrong.
    init(
        _ item: Case, of texts: [String: String], world: SmallWorld, at station: Station,
        _ judge: HostJudge
    ) throws {
        var texts = texts
        for path in texts.keys.sorted() {
            var fewer = texts
            fewer[path] = nil
            // Policies that speak of a tenant without a file are no policies.
            guard let set = try? PolicySet(fewer) else { continue }
            if try Trial(item, set, world, station, judge)?.isWrong ?? false { texts = fewer }
        }
        let files = texts.sorted { $0.key < $1.key }.map { "# \($0.key)\n\($0.value)" }
            .joined(separator: "---\n")
        guard let trial = try Trial(item, PolicySet(texts), world, station, judge) else {
            description = "\(item.probe)\nno endpoint is left\n\(files)"
            return
        }
        let note = trial.isWrong ? "" : "by itself it is judged as it should be\n"
        description = "\(item.probe)\n\(item.form)\n\(note)\(trial.text)\n\(files)"
    }

    /// The first case that is judged wrong by itself: counters don't say whose they are.
    static func culprit(
        among cases: [Case], of texts: [String: String], world: SmallWorld, at station: Station,
        _ judge: HostJudge
    ) throws -> Case? {
        let set = try PolicySet(texts)
        return try cases.first { try Trial($0, set, world, station, judge)?.isWrong ?? false }
    }

    /// One case under other files.
    private struct Trial {
        let isWrong: Bool
        let text: String

        init?(
            _ item: Case, _ policies: PolicySet, _ world: SmallWorld, _ station: Station,
            _ judge: HostJudge
        ) throws {
            let topology = world.topology(of: policies)
            guard let endpoint = topology.endpoints.first(where: { $0.id == station.id }) else {
                return nil
            }
            let scene = Scene(policies, topology, at: endpoint)
            let state = Compilation(of: policies, for: topology).states[endpoint.id] ?? .closed
            let number = station.nextNumber(for: item.form)
            let item = Case(item.probe, item.form, number: number, in: scene)
            try station.enforce(state)
            let batch = try Batch([item], to: station)
            let complaint = try judge.complaint(about: [item], state, in: scene)
            // Once more under another number: the host filter remembers fragments by it.
            let again = Case(
                item.probe, item.form, number: station.nextNumber(for: item.form), in: scene)
            let verdicts = try judge.verdicts(on: again, state, in: scene)
            isWrong = !batch.misjudged.isEmpty || !batch.miscounts.isEmpty || complaint != nil
            text = Self.words(item, endpoint, batch, verdicts, complaint)
        }

        private static func words(
            _ item: Case, _ endpoint: Endpoint, _ batch: Batch, _ verdicts: [String],
            _ complaint: HostJudge.Complaint?
        ) -> String {
            let steps = zip(item.steps, verdicts).map { step, verdict in
                """
                \(step.direction) packet \(step.packet.number): \(step.packet.bytes.hex)
                  expected of the host filter: \(step.host); it says: \(verdict)
                """
            }
            let arrivals = item.arrivals.map {
                "\($0.direction) packet \($0.number) is whole; expected of the table: \($0.fate)"
            }
            return """
                at \(endpoint.name) \(endpoint.addresses)
                the evaluator says to the flow: \(item.fate)
                \((steps + arrivals).joined(separator: "\n"))
                the table lets through: \(batch.hasPassed(item).numbers) \(batch.miscounts)
                the host filter: \(complaint?.text ?? "as it should")
                """
        }
    }
}

extension PolicySet {
    fileprivate init(_ texts: [String: String]) throws {
        self = try PolicySet(
            checking: try texts.map { try PolicyFile(parsing: $0.value, path: $0.key) })
    }
}

extension [UInt8] {
    fileprivate var hex: String {
        map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
