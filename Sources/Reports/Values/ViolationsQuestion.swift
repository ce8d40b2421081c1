public import NetTypes

/// Which violations are asked for.
public struct ViolationsQuestion: Hashable, Sendable {
    /// Only those whose last packet is not older.
    public var since: Timestamp?
    /// Only those whose first packet is not younger.
    public var until: Timestamp?
    /// Only those with this tenant at either end.
    public var tenant: String?
    public var source: PartyName?
    public var destination: PartyName?
    public var reason: RefusalReason?
    /// How many at most; the latest are taken.
    public var limit: Int?
    /// Where the last page ended: older ones follow.
    public var cursor: String?

    public init(
        since: Timestamp? = nil, until: Timestamp? = nil, tenant: String? = nil,
        source: PartyName? = nil, destination: PartyName? = nil, reason: RefusalReason? = nil,
        limit: Int? = nil, cursor: String? = nil
    ) {
        self.since = since
        self.until = until
        self.tenant = tenant
        self.source = source
        self.destination = destination
        self.reason = reason
        self.limit = limit
        self.cursor = cursor
    }

    /// Whether the violation is asked for, pages left out of account.
    public func matches(_ violation: Violation) -> Bool {
        let isInTime =
            since.map { violation.last >= $0 } ?? true
            && until.map { violation.first <= $0 } ?? true
        let ends = [violation.source, violation.destination]
        return isInTime && (tenant.map { name in ends.contains { $0.tenant == name } } ?? true)
            && (source.map { violation.source.isNamed($0) } ?? true)
            && (destination.map { violation.destination.isNamed($0) } ?? true)
            && (reason.map { violation.reason == $0 } ?? true)
    }
}

extension ViolationEnd {
    /// Whether the end is the party: a tenant's endpoint, or somebody with the address.
    func isNamed(_ party: PartyName) -> Bool {
        switch party.kind {
        case .tenant: tenant == party.name
        case .host, .world: tenant == nil && self.party == party.kind
        case .address:
            tenant == nil && (address.description == party.name || party.name == "others")
        }
    }
}
