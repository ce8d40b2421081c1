public import NetTypes

/// What the policies make of an assertion, with the namespaces as they are.
public struct AssertionAnswer: Hashable, Sendable, Codable {
    public let assertion: AssertionReference
    /// The claim as a sentence.
    public let statement: String
    /// What makes the claim say less than it seems to: a side that means nobody here.
    public let notes: [String]
    /// Every way in which it doesn't hold, up to a limit.
    public let violations: [AssertionViolation]
    /// How many there are in all.
    public let violationCount: Int
    /// The endpoints that have to do as the policies say for the answer to be true of the kernel,
    /// sorted.
    public let endpoints: [NamespaceID]

    /// Whether the policies fulfil it.
    public var holds: Bool { violationCount == 0 }

    init(
        assertion: Assertion, notes: [String], violations: [AssertionViolation],
        violationCount: Int, endpoints: [NamespaceID]
    ) {
        self.assertion = AssertionReference(assertion)
        statement = assertion.statement
        self.notes = notes
        self.violations = violations
        self.violationCount = violationCount
        self.endpoints = endpoints
    }
}

/// What reports say about an assertion: enough to find it, and whom to ask.
public struct AssertionReference: Hashable, Sendable, Codable {
    public let name: String
    public let owner: String?
    public let summary: String?
    /// Each as `CATALOG/CONTROL`.
    public let controls: [String]
    public let place: SourcePlace

    public init(_ assertion: Assertion) {
        name = assertion.name
        owner = assertion.owner
        summary = assertion.summary
        controls = assertion.controls
        place = assertion.place
    }
}

/// One way in which an assertion doesn't hold.
public struct AssertionViolation: Hashable, Sendable, Codable {
    /// What is wrong, in one sentence without a full stop.
    public let reason: String
    /// What to change.
    public let fix: String
    /// The flows by which the one gets to the other; a single one unless chains count.
    ///
    /// Where something isn't reached, the flow that is refused.
    public let path: [PathHop]

    public init(reason: String, fix: String, path: [PathHop]) {
        self.reason = reason
        self.fix = fix
        self.path = path
    }
}

/// One flow of a path, and the rules that admit it.
public struct PathHop: Hashable, Sendable, Codable {
    public let source: PathEnd
    public let destination: PathEnd
    public let ipProtocol: IPProtocol
    /// The port or the message; nil where the protocol has none.
    public let port: UInt16?
    /// The rule that opens the source, and the one that opens the destination; nil where no
    /// endpoint stands, or where none does.
    public let egress: RuleReference?
    public let ingress: RuleReference?

    /// `tcp 5432`, `icmp 8/0`.
    public var service: String {
        guard let port else { return "\(ipProtocol)" }
        guard ipProtocol.isICMP else { return "\(ipProtocol) \(port)" }
        let message = ICMPMessage(
            type: UInt8(port >> 8), code: UInt8(truncatingIfNeeded: port))
        return "\(ipProtocol) \(message)"
    }
}

extension PathHop: CustomStringConvertible {
    /// The hop in one line: `shop/shop-web (10.0.0.2) -> db/db-1 (10.0.0.3) tcp 5432 by ...`.
    public var description: String {
        let rules = [egress, ingress].compactMap(\.self).map { "\($0.policy) (\($0.place))" }
        let by =
            rules.isEmpty
            ? ""
            : " by "
                + (rules.first == rules.last ? [rules[0]] : rules)
                .joined(separator: " and ")
        return "\(source) -> \(destination) \(service)\(by)"
    }
}

/// Who stands at one end of a hop.
public struct PathEnd: Hashable, Sendable, Codable {
    /// Nil outside of all endpoints.
    public let tenant: String?
    public let endpoint: String?
    /// `world`, `host`, or nobody that is known.
    public let party: String
    public let address: IPAddress
}

extension PathEnd: CustomStringConvertible {
    public var description: String { "\(party) (\(address))" }
}
