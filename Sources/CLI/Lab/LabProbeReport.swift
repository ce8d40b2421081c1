internal import Lab
internal import NetTypes
internal import Policy
internal import Reports

/// What a probe saw, beside what policies say.
struct LabProbeReport: TextReport, Encodable {
    /// One way from one namespace to another.
    struct Way: Encodable {
        let source: String
        let destination: String
        let ipProtocol: IPProtocol
        let port: UInt16
        let family: String
        let seen: String
        /// Whether policies let it through; nil without policies.
        let expected: Bool?
        /// The rule that admits it at the end that is called; nil if none does.
        let rule: String?
        let agrees: Bool
    }

    let agrees: Bool
    let ways: [Way]
    private let names: [String]
    private let isJudged: Bool

    private enum CodingKeys: CodingKey {
        case agrees
        case ways
    }

    init(_ matrix: ProbeMatrix, _ expectation: LabExpectation?) {
        var verdicts: [ProbeMatrix.Question: FlowVerdict] = [:]
        if let expectation {
            for question in matrix.outcomes.keys {
                verdicts[question] = expectation.verdict(question)
            }
        }
        let admitted = verdicts.mapValues(\.isAdmitted)
        let wrong = Set(matrix.mismatches { admitted[.init($0, $1, $2, $3, $4)] })
        names = matrix.names
        isJudged = expectation != nil
        agrees = wrong.isEmpty
        ways = matrix.outcomes.sorted { $0.key.description < $1.key.description }
            .map { question, outcome in
                Way(
                    question, outcome, verdicts[question], agrees: !wrong.contains(question))
            }
    }

    func text(_ form: TextForm) -> String {
        LabGrid(ways, names: names).text(form) + "\n" + judgement
    }

    /// A row for each way.
    var csv: CSV {
        var csv = CSV([
            "source", "destination", "protocol", "port", "family", "seen", "expected", "rule",
            "agrees",
        ])
        for way in ways {
            csv.append([
                way.source, way.destination, way.ipProtocol.description, "\(way.port)", way.family,
                way.seen, way.expected.map { "\($0)" }, way.rule, "\(way.agrees)",
            ])
        }
        return csv
    }

    private var judgement: String {
        let tried = "\(ways.count) ways tried, \(ways.count { $0.seen == "reached" }) open"
        guard isJudged else { return tried + "\n" }
        let wrong = ways.filter { !$0.agrees }
        let lines = wrong.map { way in
            "  \(way.source) > \(way.destination) \(way.ipProtocol) \(way.port) (\(way.family)): "
                + "expected \(way.expected == true ? "open" : "closed")"
                + (way.rule.map { " by \($0)" } ?? "") + ", seen \(way.seen)\n"
        }
        return "\(tried); policies say \(ways.count { $0.expected == true }): "
            + (wrong.isEmpty ? "all as expected\n" : "\(wrong.count) not as expected\n")
            + lines.joined()
    }
}

extension LabProbeReport.Way {
    fileprivate init(
        _ question: ProbeMatrix.Question, _ outcome: ProbeMatrix.Outcome, _ verdict: FlowVerdict?,
        agrees: Bool
    ) {
        let isOpen = verdict?.isAdmitted
        let rule = isOpen == true ? verdict?.ingress?.rule ?? verdict?.egress?.rule : nil
        self.init(
            source: question.source, destination: question.destination,
            ipProtocol: question.listener.ipProtocol, port: question.listener.port,
            family: question.family.rawValue, seen: outcome.word, expected: isOpen,
            rule: rule.map { "\($0.policy.name) at \($0.place)" }, agrees: agrees)
    }
}

extension ProbeMatrix.Question {
    fileprivate init(
        _ source: String, _ destination: String, _ ipProtocol: IPProtocol, _ port: UInt16,
        _ family: AddressFamily
    ) {
        self.init(
            source: source, destination: destination,
            listener: LabListener(ipProtocol, port: port), family: family)
    }
}

extension ProbeMatrix.Outcome {
    fileprivate var word: String {
        switch self {
        case .reached: "reached"
        case .blocked: "blocked"
        case .refused: "refused"
        case .failed(let error): "failed: \(error)"
        }
    }
}
