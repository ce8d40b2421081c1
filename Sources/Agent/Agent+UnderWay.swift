internal import Linux
internal import Logging
internal import NetTypes
internal import Nftables
internal import Policy

/// Tables that are being written while the loop goes on with everything else.
struct UnderWay {
    let ids: Set<NamespaceID>
    let since: ContinuousClock.Instant
    /// Whose doing it was that something had to be written.
    let callers: Set<Caller>
    /// What has to be looked at once they are written.
    var overtaken: Set<NamespaceID> = []
    /// Of these, what is not to be believed then.
    var doubted: Set<NamespaceID> = []
}

/// The kernel may be held up by others in whose namespaces it is to write: see `TableWriter`. One piece of work is under
/// way at most, since the kernel would have another one wait as well; what changes meanwhile is compared when it is done.
extension Agent {
    /// How long nothing may get done while everything else waits.
    private static let patience = Duration.milliseconds(100)
    /// The same for a while after the kernel was held up.
    private static let impatience = Duration.milliseconds(5)
    private static let grudge = Duration.seconds(10)
    /// What a caller pays for at most: another one may have held up the kernel.
    private static let greatestCharge = Duration.milliseconds(500)
    /// How long an answer waits for a table that is being written.
    private static let readersPatience = Duration.seconds(5)

    /// Writes to tables, and goes on when it is done: at once, or later if the kernel is held up.
    ///
    /// Nothing may be under way.
    func write<Outcome: Sendable>(
        to ids: Set<NamespaceID>,
        _ work: @escaping @Sendable (TableWriter.Progress) -> Outcome,
        then conclude: @escaping @Sendable (isolated Agent, Outcome) -> Void
    ) {
        precondition(underWay == nil, "the kernel is written to by one thread")
        let start = ContinuousClock.now
        let isHeldUp = heldUpAt.map { start - $0 < Self.grudge } ?? false
        let outcome = writer.run(
            patience: isHeldUp ? Self.impatience : Self.patience, work,
            late: { [weak self] outcome in
                guard let self else { return }
                Task { await self.written { conclude($0, outcome) } }
            })
        if let outcome { return conclude(self, outcome) }
        underWay = UnderWay(ids: ids, since: start, callers: accountable)
        if !isHeldUp {
            logger.warning(
                "the kernel is held up: somebody's changes to rulesets of their own have to end first",
                metadata: ["endpoints": "\(ids.count)"])
        }
    }

    /// What was under way is done.
    private func written(_ conclude: @Sendable (isolated Agent) -> Void) {
        guard let was = underWay else { return }
        underWay = nil
        let now = ContinuousClock.now
        heldUpAt = now
        charge(was.callers, from: max(was.since, now - Self.greatestCharge))
        conclude(self)
        for departure in departures.values { takeLastCounts(departure, attributed: false) }
        departures = [:]
        for id in was.doubted { holdings[id]?.isDoubtful = true }
        reapply(was.overtaken)
        for id in was.doubted { tellIfRepaired(id) }
    }

    /// Has endpoints looked at when what is under way is done; false where nothing is.
    func isOvertaken(_ ids: some Sequence<NamespaceID>) -> Bool {
        guard underWay != nil else { return false }
        for id in ids {
            underWay?.overtaken.insert(id)
            if holdings[id]?.isDoubtful == true { underWay?.doubted.insert(id) }
        }
        return true
    }

    /// Whether nobody else writes to the table of an endpoint now.
    func isAtRest(_ id: NamespaceID) -> Bool { underWay?.ids.contains(id) != true }

    /// Why an endpoint is not in its state yet, where the kernel is held up.
    func waiting(_ id: NamespaceID) -> String? {
        guard let underWay, underWay.ids.contains(id) || underWay.overtaken.contains(id),
            holdings[id]?.state != wanted(id)
        else { return nil }
        let seconds = (ContinuousClock.now - underWay.since).milliseconds / 1000
        return """
            the kernel has been held up for \((seconds * 10).rounded() / 10) s by somebody's changes to rulesets of \
            their own
              fix: see 'nft monitor' in the endpoints' namespaces; memory limits of control groups bound such changes
            """
    }

    /// Waits until the table of an endpoint can be read.
    func rest(of id: NamespaceID) async throws {
        let deadline = ContinuousClock.now + Self.readersPatience
        while !isAtRest(id) {
            guard ContinuousClock.now < deadline else {
                throw NftablesError.heldUp(namespace: observed[id]?.name ?? "\(id)")
            }
            try await Task.sleep(for: .milliseconds(5))
        }
    }
}
