internal import AgentCore
internal import Linux
internal import Logging
internal import NetTypes
internal import Nftables
internal import Policy

/// Tables that are being written while the loop goes on with everything else.
struct UnderWay {
    let ids: Set<NamespaceID>
    let since: ContinuousClock.Instant
    let progress: BackgroundWorker.Progress
    /// What has to be looked at once they are written.
    var overtaken: Set<NamespaceID> = []
    /// Of these, what is not to be believed then.
    var doubted: Set<NamespaceID> = []
}

/// The kernel may be held up by others in whose namespaces it is to write: see `BackgroundWorker`. One piece of work is under
/// way at most, since the kernel would have another one wait as well; what changes meanwhile is compared when it is done.
extension Agent {
    /// How long nothing may get done while everything else waits.
    private static let patience = Duration.milliseconds(100)
    /// The same for a while after the kernel was held up.
    private static let impatience = Duration.milliseconds(5)
    private static let grudge = Duration.seconds(10)
    /// How long everything else waits for work that gets done.
    private static let limit = Duration.milliseconds(500)
    /// How long an answer waits for a table that is being written.
    private static let readersPatience = Duration.seconds(5)

    /// Writes to tables, and goes on when it is done: at once, or later if the kernel is held up.
    ///
    /// Nothing may be under way.
    func write<Outcome: Sendable>(
        to ids: Set<NamespaceID>,
        _ work: @escaping @Sendable (BackgroundWorker.Progress) -> Outcome,
        then conclude: @escaping @Sendable (isolated Agent, Outcome) -> Void
    ) {
        precondition(underWay == nil, "the kernel is written to by one thread")
        let start = ContinuousClock.now
        let isHeldUp = isHeldUp
        let progress = BackgroundWorker.Progress()
        let outcome = writer.run(
            patience: isHeldUp ? Self.impatience : Self.patience, limit: isReady ? Self.limit : nil,
            progress, work,
            late: { [weak self] outcome in
                guard let self else { return }
                Task { await self.written { conclude($0, outcome) } }
            })
        if let outcome { return conclude(self, outcome) }
        underWay = UnderWay(ids: ids, since: start, progress: progress)
        behindSince = behindSince ?? start
        if !isHeldUp, progress.hasStalled {
            logger.warning(
                "the kernel takes no changes: somebody's to rulesets of their own may have to end first",
                metadata: ["endpoints": "\(ids.count)"])
        }
    }

    /// What was under way is done.
    private func written(_ conclude: @Sendable (isolated Agent) -> Void) {
        guard let was = underWay else { return }
        underWay = nil
        let now = ContinuousClock.now
        if was.progress.hasStalled, now - was.since >= Self.patience { heldUpAt = now }
        doubted = was.doubted
        skipped = []
        conclude(self)
        doubted = []
        for departure in departures.values {
            close(departure, attributed: false)
            writer.release(departure.tenure)
        }
        departures = [:]
        for id in was.doubted { holdings[id]?.isDoubtful = true }
        // What comes next may be under way for as long.
        if let due = schedule[.save], due <= .now { save() }
        concluded += 1
        guard !isStopping else { return }
        let left = was.overtaken.union(skipped)
        skipped = []
        reapply(left)
        if underWay == nil { behindSince = nil }
        for id in was.doubted { tellIfRepaired(id) }
    }

    /// Whether the kernel was held up a moment ago.
    var isHeldUp: Bool { heldUpAt.map { ContinuousClock.now - $0 < Self.grudge } ?? false }

    /// Waits until nothing is under way any more, but not for ever.
    func settleDown(within time: Duration) async {
        let deadline = ContinuousClock.now + time
        while underWay != nil, ContinuousClock.now < deadline {
            try? await Task.sleep(for: .milliseconds(5))
        }
    }

    /// Has endpoints looked at when what is under way is done; false where nothing is.
    func isOvertaken(_ ids: some Sequence<NamespaceID>) -> Bool {
        guard let underWay else { return false }
        for id in ids {
            // What is still to be written may be wanted no more.
            if underWay.ids.contains(id) { underWay.progress.outdate() }
            self.underWay?.overtaken.insert(id)
            if holdings[id]?.isDoubtful == true { self.underWay?.doubted.insert(id) }
        }
        return true
    }

    /// Whether nobody else writes to the table of an endpoint now.
    func isAtRest(_ id: NamespaceID) -> Bool {
        underWay?.ids.contains(id) != true && closing[id] == nil
    }

    /// Why an endpoint is not in its state yet, where the kernel is held up.
    func waiting(_ id: NamespaceID) -> String? {
        guard let underWay,
            underWay.ids.contains(id)
                || underWay.overtaken.contains(id) && holdings[id]?.state != wanted(id)
        else { return nil }
        let seconds = (ContinuousClock.now - underWay.since).milliseconds / 1000
        let time = "\((seconds * 10).rounded() / 10) s"
        guard underWay.progress.hasStalled else {
            return "\(underWay.ids.count) tables are being written, for \(time) so far"
        }
        return """
            the kernel has taken no changes for \(time): somebody's to rulesets of their own may have to end first
              fix: see 'nft monitor' in the endpoints' namespaces; memory limits of control groups bound such changes
            """
    }

    /// Waits until the tables of all of these endpoints can be read; whoever reads them may not wait in between.
    func rest(of ids: some Collection<NamespaceID>) async throws {
        let deadline = ContinuousClock.now + Self.readersPatience
        while let id = ids.first(where: { !isAtRest($0) }) {
            guard ContinuousClock.now < deadline else {
                throw NftablesError.heldUp(namespace: observed[id]?.name ?? "\(id)")
            }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    /// What was read of another state than the one that an endpoint is in, or not read though there is a table.
    func outdated(_ generations: [NamespaceID: UInt64]) -> Set<NamespaceID> {
        Set(generations.keys).union(holdings.keys).filter { id in
            guard let holding = holdings[id], holding.state != nil else {
                return generations[id] != nil
            }
            return generations[id] != holding.generation
        }
    }

    /// Reads again, until what was read belongs to the state that each endpoint is in, and no last counts are missing.
    ///
    /// - Parameters:
    ///   - outdated: What has to be read again, now.
    ///   - read: Reads it, without a pause.
    /// - Throws: What `read` throws, and `heldUp` where the kernel was for too long.
    func readAgain(
        _ outdated: () -> Set<NamespaceID>, _ read: (Set<NamespaceID>) throws -> Void
    ) async throws {
        let deadline = ContinuousClock.now + Self.readersPatience
        while true {
            let ids = outdated()
            if ids.isEmpty, departures.isEmpty { return }
            guard ContinuousClock.now < deadline else {
                throw NftablesError.heldUp(
                    namespace: observed[ids.first ?? .init(device: 0, inode: 0)]?.name ?? "?")
            }
            try await rest(of: ids)
            try read(ids)
            // Others get their turn, also where this never comes to an end.
            try await Task.sleep(for: .milliseconds(departures.isEmpty ? 1 : 5))
        }
    }
}
