/// What policies must never allow, or must always allow, whoever writes them.
///
/// It opens nothing and closes nothing: it is checked.
public struct Assertion: Hashable, Sendable {
    public enum Claim: String, Hashable, Sendable, Codable, CaseIterable {
        /// None of `from` can open a flow to any of `to`.
        case noPath
        /// Each of `from` can open flows to each of `to`.
        case reachable
        /// Nobody but `from` can open a flow to any of `to`.
        case onlyFrom
    }

    /// Unique among assertions.
    public let name: String
    public let owner: String?
    public let summary: String?
    /// What it is evidence for, each as `CATALOG/CONTROL`.
    public let controls: [String]
    public let claim: Claim
    public let from: [Peer]
    public let to: [Peer]
    /// Over what; none means over anything.
    public let services: [Service]
    /// Whether chains of endpoints count, each of which can open a flow to the next.
    public let isTransitive: Bool
    public let place: SourcePlace

    public init(
        name: String, owner: String? = nil, summary: String? = nil, controls: [String] = [],
        claim: Claim, from: [Peer], to: [Peer], services: [Service] = [],
        isTransitive: Bool = false, place: SourcePlace
    ) {
        self.name = name
        self.owner = owner
        self.summary = summary
        self.controls = controls
        self.claim = claim
        self.from = from
        self.to = to
        self.services = services
        self.isTransitive = isTransitive
        self.place = place
    }
}

extension Assertion {
    /// The claim as a sentence without a full stop.
    public var statement: String {
        let (from, to) = (from.words, to.words)
        let over =
            services.isEmpty
            ? "" : " over " + services.map(\.description).joined(separator: " and ")
        let chains = isTransitive ? ", through any chain of endpoints" : ""
        return switch claim {
        case .noPath: "no path from \(from) to \(to)\(over)\(chains)"
        case .reachable: "\(to) can be reached from \(from)\(over)\(chains)"
        case .onlyFrom where services.isEmpty:
            "\(to) can be reached from nobody but \(from)\(chains)"
        case .onlyFrom:
            "\(to) can be reached from \(from)\(over), and from nobody else\(chains)"
        }
    }
}

extension [Peer] {
    fileprivate var words: String {
        map { peer in
            if case .endpoints(of: .labels(let tenants), nil) = peer, tenants == LabelSelector() {
                return "every tenant"
            }
            return peer.description
        }.joined(separator: " and ")
    }
}

extension PolicySet {
    /// Every assertion, by name.
    public var assertions: [Assertion] {
        files.values.flatMap(\.assertions).sorted { $0.name < $1.name }
    }
}

extension PolicyFile {
    var assertions: [Assertion] {
        documents.compactMap { document in
            if case .assertion(let assertion) = document { assertion } else { nil }
        }
    }
}
