import NetTypes
public import Policy
public import Verifier

/// What became of one assertion: by the policies, and by what the kernel was proven to hold.
public struct AssertionResult: Hashable, Sendable, Codable {
    public var answer: AssertionAnswer
    public var outcome: AuditOutcome
    /// Why the answer of the policies may not be the kernel's; empty where it is.
    public var doubts: [String]

    /// Holds the policies' answer against what the kernel was found to do.
    ///
    /// Where every endpoint that is asked does what the policies say for every packet, their
    /// answer is the kernel's.
    public init(_ answer: AssertionAnswer, kernel: AuditResult) {
        self.answer = answer
        let audited = Dictionary(
            kernel.endpoints.map { ($0.namespace, $0) }, uniquingKeysWith: { first, _ in first })
        doubts = answer.endpoints.compactMap { id in
            guard let endpoint = audited[id] else { return "endpoint \(id) was not looked at" }
            return endpoint.outcome == .proven
                ? nil : "\(endpoint.tenant)/\(endpoint.name) \(endpoint.outcome.words)"
        }
        doubts += kernel.unproven.map(\.reason)
        outcome = answer.holds ? doubts.isEmpty ? .proven : .notProven : .violated
    }
}

extension AuditOutcome {
    /// `is proven`, `is not proven`, `is violated`.
    var words: String {
        switch self {
        case .proven: "is proven"
        case .notProven: "is not proven"
        case .violated: "is violated"
        }
    }

    /// The outcome as a title.
    var title: String {
        switch self {
        case .proven: "Proven"
        case .notProven: "Not proven"
        case .violated: "Violated"
        }
    }
}
