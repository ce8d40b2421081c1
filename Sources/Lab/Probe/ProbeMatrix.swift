public import Linux
public import NetTypes

/// Who reached whom, as real packets found it.
public struct ProbeMatrix: Hashable, Sendable {
    /// Whether one namespace reaches another at one listener by one family.
    public struct Question: Hashable, Sendable {
        public let source: String
        public let destination: String
        public let listener: LabListener
        public let family: AddressFamily

        public init(
            source: String, destination: String, listener: LabListener, family: AddressFamily
        ) {
            self.source = source
            self.destination = destination
            self.listener = listener
            self.family = family
        }
    }

    public enum Outcome: Hashable, Sendable {
        /// The other end answered.
        case reached
        /// No answer came in time, or the kernel refused to send.
        case blocked
        /// Somebody said no: a reset, or an ICMP message.
        case refused
        /// Something else went wrong: nothing is known.
        case failed(SystemError)
    }

    /// By question.
    public let outcomes: [Question: Outcome]
    /// In the order in which they were given.
    public let names: [String]
    public let listeners: [LabListener]

    /// What ought to be: true for reached, false for not, nil for no opinion.
    public typealias Expectation = (
        _ source: String, _ destination: String, _ ipProtocol: IPProtocol, _ port: UInt16,
        _ family: AddressFamily
    ) -> Bool?

    /// The questions whose outcome is not as expected, sorted.
    public func mismatches(_ expectation: Expectation) -> [Question] {
        outcomes.filter { question, outcome in isWrong(question, outcome, expectation) }
            .map(\.key).sorted { $0.order.lexicographicallyPrecedes($1.order) }
    }

    /// A grid for each listener and family, with `!` where the outcome is not as expected.
    public func table(_ expectation: Expectation = { _, _, _, _, _ in nil }) -> String {
        let grids = listeners.flatMap { listener in
            AddressFamily.allCases.compactMap { grid(listener, $0, expectation) }
        }
        let legend = "+ reached   - blocked   x refused   ? failed   ! not as expected\n"
        return grids.joined(separator: "\n") + "\n" + legend
    }

    private func grid(
        _ listener: LabListener, _ family: AddressFamily, _ expectation: Expectation
    ) -> String? {
        let questions = outcomes.keys.filter { $0.listener == listener && $0.family == family }
        guard !questions.isEmpty else { return nil }
        let digits = String(names.count).count
        let width = digits + 2 + (names.map(\.count).max() ?? 0)
        let columns = names.indices.map { pad(String($0 + 1), max(digits, 2) + 1) }
        var lines = ["\(listener) \(family.rawValue)", pad("", width) + columns.joined()]
        for (number, source) in names.enumerated() {
            let cells = names.map { destination in
                pad(
                    cell(source, destination, listener, family, expectation), max(digits, 2) + 1)
            }
            lines.append(pad("\(number + 1) \(source)", width) + cells.joined())
        }
        return lines.map { $0.trimmedAtEnd + "\n" }.joined()
    }

    private func cell(
        _ source: String, _ destination: String, _ listener: LabListener,
        _ family: AddressFamily, _ expectation: Expectation
    ) -> String {
        let question = Question(
            source: source, destination: destination, listener: listener, family: family)
        guard let outcome = outcomes[question] else { return "." }
        return outcome.symbol + (isWrong(question, outcome, expectation) ? "!" : "")
    }

    private func isWrong(
        _ question: Question, _ outcome: Outcome, _ expectation: Expectation
    ) -> Bool {
        let expected = expectation(
            question.source, question.destination, question.listener.ipProtocol,
            question.listener.port, question.family)
        guard let expected else { return false }
        if case .failed = outcome { return true }
        return expected != (outcome == .reached)
    }
}

extension ProbeMatrix.Question: CustomStringConvertible {
    fileprivate var order: [String] {
        [source, destination, listener.description, family.rawValue]
    }

    public var description: String {
        "\(source) -> \(destination) \(listener) \(family.rawValue)"
    }
}

extension ProbeMatrix.Outcome {
    fileprivate var symbol: String {
        switch self {
        case .reached: "+"
        case .blocked: "-"
        case .refused: "x"
        case .failed: "?"
        }
    }
}

private func pad(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
}

extension String {
    fileprivate var trimmedAtEnd: String {
        String(reversed().drop { $0 == " " }.reversed())
    }
}
