public import Reports

/// A refused flow within one window, and who stood at its ends.
public struct ViolationRecord: Hashable, Sendable {
    public var violation: Violation
    public var source: PartyName
    public var destination: PartyName

    /// A record of a violation.
    ///
    /// - Parameters:
    ///   - violation: The flow; the window is told by its first packet's time.
    ///   - source: Who sent it; nil is the tenant, or the address where there is none.
    ///   - destination: Whom it was sent to; nil likewise.
    public init(
        _ violation: Violation, source: PartyName? = nil, destination: PartyName? = nil
    ) {
        self.violation = violation
        self.source = source ?? violation.source.partyName
        self.destination = destination ?? violation.destination.partyName
    }
}

extension ViolationEnd {
    fileprivate var partyName: PartyName { tenant.map { .tenant($0) } ?? .address(address) }
}
