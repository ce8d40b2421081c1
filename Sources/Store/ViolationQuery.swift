public import NetTypes
public import Reports

/// Which refused flows are asked for.
public struct ViolationQuery: Hashable, Sendable {
    /// Whose endpoint stands at either end.
    public var tenant: String?
    public var source: PartyName?
    public var destination: PartyName?
    public var reason: RefusalReason?
    public var layer: Violation.Layer?
    /// What ended before is left out.
    public var since: Timestamp?
    /// What began later is left out.
    public var until: Timestamp?
    /// How many a page has at most: 1 to 10,000.
    public var limit: Int
    /// Where the last page ended; nil for the first.
    public var cursor: String?

    public init(
        tenant: String? = nil, source: PartyName? = nil, destination: PartyName? = nil,
        reason: RefusalReason? = nil, layer: Violation.Layer? = nil, since: Timestamp? = nil,
        until: Timestamp? = nil, limit: Int = 100, cursor: String? = nil
    ) {
        self.tenant = tenant
        self.source = source
        self.destination = destination
        self.reason = reason
        self.layer = layer
        self.since = since
        self.until = until
        self.limit = limit
        self.cursor = cursor
    }
}

/// Some of the refused flows that were asked for; those whose window began last come first.
public struct ViolationPage: Hashable, Sendable {
    public var violations: [Violation]
    /// What to ask the next page with; nil if this is the last.
    ///
    /// A flow's place never changes, so what was there when the first page was read is on exactly
    /// one page, whatever comes meanwhile. It stays valid over restarts and outages of the file.
    public var next: String?

    public init(violations: [Violation], next: String? = nil) {
        self.violations = violations
        self.next = next
    }
}
