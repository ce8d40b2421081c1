public import Policy

/// The tenants of the policies.
public struct TenantsReport: Hashable, Sendable, Codable {
    /// By name.
    public var tenants: [TenantSummary]

    public init(tenants: [TenantSummary]) { self.tenants = tenants }
}

/// One tenant, and what its endpoints sent and received.
public struct TenantSummary: Hashable, Sendable, Codable {
    public var name: String
    public var labels: [String: String]
    /// Where the tenant is declared.
    public var place: SourcePlace
    public var endpoints: Int
    /// What its endpoints' tables admitted, of both directions.
    public var admitted: Tally
    /// What its endpoints' tables refused, of both directions.
    public var refused: Tally

    public init(
        name: String, labels: [String: String], place: SourcePlace, endpoints: Int,
        admitted: Tally, refused: Tally
    ) {
        self.name = name
        self.labels = labels
        self.place = place
        self.endpoints = endpoints
        self.admitted = admitted
        self.refused = refused
    }
}

/// The endpoints that discovery found.
public struct EndpointsReport: Hashable, Sendable, Codable {
    /// By tenant, then by name.
    public var endpoints: [EndpointSummary]

    public init(endpoints: [EndpointSummary]) { self.endpoints = endpoints }
}

/// One endpoint: its state, and what was counted there.
public struct EndpointSummary: Hashable, Sendable, Codable {
    public var status: EndpointStatus
    public var counters: EndpointCounters

    public init(status: EndpointStatus, counters: EndpointCounters) {
        self.status = status
        self.counters = counters
    }
}

/// One page of the rules in force.
public struct RulesReport: Hashable, Sendable, Codable {
    /// In the order of files and lines.
    public var rules: [RuleSummary]
    /// What to ask for to get the next page; nil on the last one.
    public var next: String?

    public init(rules: [RuleSummary], next: String? = nil) {
        self.rules = rules
        self.next = next
    }
}

/// One rule: whom it lets talk to whom, who owns it, and what it admitted.
public struct RuleSummary: Hashable, Sendable, Codable {
    public var rule: RuleReference
    /// The rule's `from` and `to`, in words.
    public var from: [String]
    public var to: [String]
    /// `tcp 5432`.
    public var service: String
    public var admitted: Tally
    /// What the host filter counted of the same; nil where it is off.
    public var hostFilter: Tally?

    public init(
        rule: RuleReference, from: [String], to: [String], service: String, admitted: Tally,
        hostFilter: Tally? = nil
    ) {
        self.rule = rule
        self.from = from
        self.to = to
        self.service = service
        self.admitted = admitted
        self.hostFilter = hostFilter
    }
}

/// Which rules are asked for.
public struct RulesQuestion: Hashable, Sendable {
    /// Only rules that speak of this party as the caller.
    public var source: PartyName?
    /// Only rules that speak of this party as the called.
    public var destination: PartyName?
    /// How many at most.
    public var limit: Int
    /// Where the last page ended.
    public var cursor: String?

    public init(
        source: PartyName? = nil, destination: PartyName? = nil, limit: Int = 1000,
        cursor: String? = nil
    ) {
        self.source = source
        self.destination = destination
        self.limit = limit
        self.cursor = cursor
    }
}
