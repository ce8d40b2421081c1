internal import AgentCore
internal import Compiler
internal import Linux
internal import Logging
internal import NetTypes
internal import Nftables
internal import Policy
internal import Rules
internal import Synchronization

/// A start over a host that an earlier agent left in order.
extension Agent {
    /// Whether everything was read once, and what differed was written.
    public var isInForce: Bool {
        // One round is enough: somebody may save policies without a pause.
        isReady && (underWay == nil || concluded > 0)
            && (!inputs.accepted.files.isEmpty || !isWithoutPolicies) && isEverythingEnforced
    }

    /// Whether every endpoint is enforced in each layer that is on: an endpoint that nothing is known of but its name
    /// included.
    private var isEverythingEnforced: Bool {
        guard configuration.hostFilter == .off || hostFilterProblem == nil,
            refusedClaims.isEmpty
        else { return false }
        return compilation.topology.endpoints.allSatisfy { endpoint in
            if configuration.hostFilter == .only {
                return guarded.contains(endpoint.id) && pastTheHost(endpoint.id).isEmpty
            }
            let holding = holdings[endpoint.id]
            return holding?.presence == .owned && holding?.problem == nil
        }
    }

    /// Says at `/readyz` how it is now.
    func followReadiness() {
        guard isReady else { return }
        reconciled.store(isInForce, ordering: .releasing)
    }

    /// Whether no policy is known, though files are there or the kernel enforces something: nothing is changed then.
    public var isWithoutPolicies: Bool {
        isReady && inputs.accepted.files.isEmpty
            && (!inputs.errors.isEmpty || sight.lostSince != nil)
    }

    /// Whether the kernel is known to hold what the files say, for every endpoint.
    ///
    /// True at a start over what an earlier agent left in order from a moment on when the agent may still be reading
    /// what it needs for reports and changes; false again while an endpoint is not enforced.
    public nonisolated var isReconciled: Bool { reconciled.load(ordering: .acquiring) }

    /// Tables that are as the last agent left them, and what was so then.
    struct Resumption {
        let checkpoint: Checkpoint
        let tables: Set<NamespaceID>
    }

    private func keptCheckpoint() -> Checkpoint? {
        do throws(SealedFile.Damage) {
            return try checkpointFile.read()
        } catch {
            noteDamage(checkpointFile.file.setAside(error.reason, "this start reads everything"))
            return nil
        }
    }

    /// Enters the namespaces and finds out whether anything is not as it was when all was right;
    /// nil where everything has to be read.
    ///
    /// What is compared is all that decides what the kernel should hold, and the kernel's own word
    /// for whether anybody changed a ruleset since. So it is known that everything is in force
    /// before the policies are parsed.
    func resume() -> Resumption? {
        guard configuration.hostFilter == .off, let checkpoint = keptCheckpoint(),
            checkpoint.origin == Checkpoint.currentOrigin, checkpoint.covers(clock())
        else { return nil }
        let left = Dictionary(checkpoint.tables.map { ($0.id, $0) }) { $1 }
        let found = look(paths: checkpoint.paths, pids: configuration.pids)
        enter(found.values.sorted { $0.id < $1.id }, as: left)
        let standing = Set(holdings.filter { $0.value.isAsLeft }.keys)
        guard isSame(as: checkpoint) else {
            reread(standing)
            return nil
        }
        takeOver(standing.filter { holdings[$0]?.presence == .orphaned })
        let tables = Set(holdings.filter { $0.value.isAsLeft }.keys)
        if left.keys.allSatisfy(tables.contains), refusedEntries.isEmpty {
            reconciled.store(true, ordering: .releasing)
            logger.info("everything is as it was left", metadata: ["endpoints": "\(tables.count)"])
        }
        return Resumption(checkpoint: checkpoint, tables: tables)
    }

    private func isSame(as checkpoint: Checkpoint) -> Bool {
        let files = watcher.directory.snapshot()
        return files.problems.isEmpty && Checkpoint.digests(of: files) == checkpoint.files
            && surroundings() == checkpoint.surroundings
    }

    private func surroundings() -> String {
        if let knownSurroundings { return knownSurroundings }
        let hash = Checkpoint.hash(observed, host: host, announced: announced.all.values)
        knownSurroundings = hash
        return hash
    }

    /// Takes tables over whose owner is gone; what changes in between shows in the generation.
    private func takeOver(_ ids: Set<NamespaceID>) {
        let work = ids.compactMap { id in
            tenures[id].flatMap { tenure in
                holdings[id]?.ruleset.map { (id: id, tenure: tenure, before: $0) }
            }
        }
        let outcomes = concurrently(work.count) { index -> RulesetGeneration? in
            let (table, before) = (work[index].tenure, work[index].before)
            do throws(NftablesError) {
                try table.table.takeOver()
                let after = try table.table.generation()
                return after == before.next ? after : nil
            } catch {
                return nil
            }
        }
        for (work, generation) in zip(work, outcomes) {
            guard let generation else {
                reread([work.id])
                continue
            }
            holdings[work.id]?.presence = .owned
            holdings[work.id]?.ruleset = generation
            keep(work.tenure)
        }
    }

    /// What the tables hold that are as they were left, now that it is compiled; what is not as it
    /// was left is drift.
    func settle(_ resumption: Resumption) {
        // The time goes on while files are read.
        guard pending.digests == resumption.checkpoint.files, resumption.checkpoint.covers(clock()),
            surroundings() == resumption.checkpoint.surroundings
        else { return reread(resumption.tables) }
        findDrift(since: resumption)
        for id in resumption.tables where holdings[id]?.isAsLeft == true {
            holdings[id]?.state = wanted(id)
            holdings[id]?.isAsLeft = false
            resumedTables += 1
        }
    }

    /// Reads tables that were taken for known.
    private func reread(_ ids: Set<NamespaceID>) {
        let work = ids.sorted().compactMap { id in tenures[id].map { (id: id, tenure: $0) } }
        let readings = concurrently(work.count) { index in
            Result { () throws(NftablesError) in try Holding(reading: work[index].tenure) }
        }
        for (work, reading) in zip(work, readings) {
            switch reading {
            case .success(let holding): holdings[work.id] = holding
            case .failure(let error):
                // As with a change that failed: it is read again before anything is written.
                var holding = Holding(presence: .absent, state: nil)
                holding.problem = "\(error)"
                holding.isDoubtful = true
                holdings[work.id] = holding
                schedule.set(.retry, at: .now + .milliseconds(500))
            }
        }
    }

    /// What a later agent may compare; nil while something is not as the files say.
    func checkpoint() -> Checkpoint? {
        let moment = clock()
        guard isReady, underWay == nil, configuration.hostFilter == .off, inputs.errors.isEmpty,
            inputs.isUpToDate(at: moment),
            fileQueue.isEmpty, refusedEntries.isEmpty, configuration.pids.isEmpty,
            let origin = Checkpoint.currentOrigin
        else { return nil }
        var tables: [Checkpoint.Table] = []
        for (id, holding) in holdings {
            guard holding.presence == .owned, holding.problem == nil, !holding.isDoubtful,
                holding.state != nil,
                let ruleset = holding.ruleset
            else { return nil }
            tables.append(
                Checkpoint.Table(id: id, ruleset: ruleset, generation: holding.generation))
        }
        let targets =
            inputs.accepted.tenants.values.flatMap(\.claims).map(\.target)
            + announced.claims.values.flatMap(\.self).map(\.target)
        var paths: [String] = []
        for target in targets {
            switch target {
            case .path(let path): paths.append(path)
            // A number that another process may have by then.
            case .pid: return nil
            default: continue
            }
        }
        return Checkpoint(
            origin: origin, files: pending.digests, surroundings: surroundings(),
            paths: Array(Set(paths)).sorted(), tables: tables.sorted { $0.id < $1.id },
            since: inputs.lastExpiry(upTo: moment), until: inputs.nextExpiry(after: moment))
    }
}
