internal import AgentCore
internal import Compiler
internal import Linux
internal import Logging
internal import NetTypes
internal import Nftables
internal import Policy
internal import Reports
internal import Rules
internal import Synchronization

typealias TablePresence = EndpointTable.Presence

extension Agent {
    /// Brings all that was compiled into force.
    func applyCompilation(after compileTime: Duration) {
        apply(
            to: contested.union(holdings.keys).filter { compilation.states[$0] == nil }
                + compilation.topology.endpoints.map(\.id),
            compileTime: compileTime, readTime: .zero)
        // After the checkpoint, which a large change is followed by.
        schedule.set(.trim, at: .now + .milliseconds(2500))
    }

    /// Tries again what could not be brought into force.
    func retry() {
        schedule.cancel(.retry)
        let failed = holdings.filter { $0.value.problem != nil && isAtRest($0.key) }.map(\.key)
        for id in failed { holdings[id]?.isDoubtful = true }
        apply(to: failed, compileTime: .zero, readTime: .zero)
    }

    /// Brings endpoints into their state, whatever the kernel holds of them.
    func reapply(_ ids: some Sequence<NamespaceID>) {
        apply(to: ids, compileTime: .zero, readTime: .zero)
    }

    /// What an endpoint should hold; a namespace that is nobody's any more is closed.
    func wanted(_ id: NamespaceID) -> EndpointState {
        compilation.states[id] ?? EndpointState(own: observed[id]?.addresses ?? [])
    }

    private struct Work: Sendable {
        let id: NamespaceID
        let tenure: Tenure
        let presence: TablePresence
        let held: EndpointState?
        let wanted: EndpointState
        let witness: ChangeWitness
        let isRepair: Bool
        /// Whether the change before this one failed as well.
        let hadFailed: Bool

        /// Comes into force on some thread; what is counted is written down at every step.
        func apply(_ progress: BackgroundWorker.Progress) -> Outcome {
            var outcome = Outcome()
            defer { progress.step() }
            guard !progress.isOutdated else {
                outcome.isSkipped = true
                return outcome
            }
            // What stands in a table that no agent made is somebody's word, and may be any amount.
            if presence == .damaged, let standing = try? tenure.table.standing(),
                standing != .strange
            {
                outcome.remains = try? tenure.table.remains()
            }
            do throws(NftablesError) {
                let changes = wanted.changes(from: held)
                // Whoever listens has the kernel make a message of each element.
                if changes.count > Agent.mostHeard { try? tenure.rulesets.leave() }
                let answered: EndpointTable.Witness = { retired, digest in
                    outcome.retired += retired
                    witness.answered(retired, digest)
                }
                outcome.retired = try tenure.table.apply(
                    changes, presence: presence, isRepair: isRepair,
                    ahead: { outcome.going += witness.prepare(tenure.table, $0) },
                    witness: changes.rules.removed.isEmpty ? nil : answered)
                outcome.wasHeard = changes.count <= Agent.mostHeard
                outcome.ruleset = try? tenure.table.generation()
            } catch {
                outcome.error = error
            }
            return outcome
        }
    }

    /// What became of a change; where it failed half-way, some rules may have gone.
    private struct Outcome: Sendable {
        var retired = EndpointTable.Retired()
        /// What rules had counted that were to go.
        var going: [Journal.Going] = []
        /// Where the change left the namespace's rulesets.
        var ruleset: RulesetGeneration?
        /// Whether somebody listened meanwhile for what others do.
        var wasHeard = false
        var error: NftablesError?
        /// What a damaged table had counted.
        var remains: TableReading?
        /// Whether nothing was done, since something else is wanted by now.
        var isSkipped = false
    }

    /// Brings the endpoints into their wanted state: one transaction each, and none for those that
    /// are in it already.
    ///
    /// The host filter comes first: nobody can hold up what is written to it.
    func apply(
        to ids: some Sequence<NamespaceID>, compileTime: Duration, readTime: Duration
    ) {
        let start = ContinuousClock.now
        if configuration.hostFilter == .only {
            return applyOutside(to: Array(ids), compileTime, readTime)
        }
        let ids = Array(ids)
        applyHostFilter(to: ids)
        if isOvertaken(ids) { return }
        let work: [Work] = ids.compactMap { id in
            guard let tenure = tenures[id], id != host else { return nil }
            if closing[id] != nil {
                closing[id] = true
                return nil
            }
            let hadFailed = holdings[id]?.problem != nil
            if holdings[id]?.isDoubtful == true { reread(tenure) }
            let holding = holdings[id]
            guard holding?.isDoubtful != true else { return nil }
            let wanted = wanted(id)
            guard holding?.state != wanted || holding?.presence != .owned else { return nil }
            return Work(
                id: id, tenure: tenure, presence: holding?.presence ?? .absent,
                held: holding?.state, wanted: wanted,
                witness: ChangeWitness(
                    journal: journal, endpoint: endpointName(id), id: id,
                    held: holding?.state?.rules ?? [:], isSocketKept: keeper?.isKept(id) ?? false),
                isRepair: drift[id] != nil, hadFailed: hadFailed)
        }
        // Nothing may be left to write while nothing has a number yet: where no endpoint is there,
        // and where an earlier agent was killed before it could write down which generation it was.
        guard !work.isEmpty || ledger.generation == 0 else { return }
        let isNew = ledger.generation == 0 || work.contains { $0.held != $0.wanted }
        let batch = Batch(
            work: work, news: isNew ? pending.take() : nil, start: start, reading: readTime,
            compiling: compileTime)
        write(to: Set(work.map(\.id))) { progress in
            concurrently(work.count) { work[$0].apply(progress) }
        } then: {
            $0.conclude(batch, $1)
        }
    }

    /// What is written at once.
    private struct Batch: Sendable {
        let work: [Work]
        /// What the generation is to be known by; nil where it is none.
        let news: PendingGeneration.News?
        let start: ContinuousClock.Instant
        let reading: Duration
        let compiling: Duration
    }

    /// Takes in what became of a change.
    private func conclude(_ batch: Batch, _ results: [Outcome]) {
        let applyTime = ContinuousClock.now - batch.start
        if batch.news != nil { beginGeneration() }
        for (work, result) in zip(batch.work, results) { finish(work, result) }
        let apply = ApplyStatus(
            finished: self.clock(), changedEndpoints: batch.work.count,
            readMilliseconds: batch.reading.milliseconds,
            compileMilliseconds: batch.compiling.milliseconds,
            applyMilliseconds: applyTime.milliseconds)
        metrics.applying(apply)
        if let news = batch.news {
            // What was left out comes with a later generation, and so does the news.
            noteGeneration(apply, skipped.isEmpty ? news : pending.putBack(news))
        }
        followReadiness()
        logger.info(
            batch.news != nil ? "generation \(ledger.generation)" : "tables taken over",
            metadata: [
                "endpoints": "\(batch.work.count)", "compile": "\(batch.compiling)",
                "apply": "\(applyTime)",
            ])
        saveSoon()
    }

    private func beginGeneration() {
        ledger.generation += 1
    }

    /// Applies to the host filter alone; tables of an earlier agent go once it stands.
    private func applyOutside(
        to ids: [NamespaceID], _ compileTime: Duration, _ readTime: Duration
    ) {
        let clock = ContinuousClock()
        let start = clock.now
        let late = unfollowed
        applyHostFilter(to: ids)
        let end = clock.now
        // A retry that brought nothing into force is no generation.
        let followed = late.subtracting(unfollowed).union(ids)
        guard !followed.isEmpty || ledger.generation == 0 || compileTime > .zero else { return }
        beginGeneration()
        for id in followed where isFollowed(id) {
            removeTable(of: id)
            outsideGenerations[id] = ledger.generation
        }
        let apply = ApplyStatus(
            finished: self.clock(), changedEndpoints: followed.count,
            readMilliseconds: readTime.milliseconds, compileMilliseconds: compileTime.milliseconds,
            applyMilliseconds: (end - start).milliseconds)
        metrics.applying(apply)
        noteGeneration(apply, pending.take())
        logger.info(
            "generation \(ledger.generation)",
            metadata: [
                "endpoints": "\(followed.count)", "compile": "\(compileTime)",
                "host filter": "\(end - start)",
            ])
        saveSoon()
    }

    /// Keeps what could still be read of a table that was made anew.
    private func salvage(_ remains: TableReading, of work: Work) {
        if tenures[work.id] === work.tenure {
            takeRefusals(remains.counts, of: work.id)
            ledger.book.leave(work.id)
            ledger.tables?[work.id] = nil
        }
        carry(
            Carried(
                layer: .nftables, endpoint: work.witness.endpoint, remains.counts.rules,
                of: remains.state.rules, refused: remains.counts.totals))
    }

    private func removeTable(of id: NamespaceID) {
        guard let tenure = tenures[id], holdings[id] != nil else { return }
        do throws(NftablesError) {
            try tenure.table.remove()
            holdings[id] = nil
        } catch {
            logger.error("the table of \(observed[id]?.name ?? "\(id)") stays: \(error)")
        }
    }

    private func finish(_ work: Work, _ outcome: Outcome) {
        if outcome.isSkipped {
            skipped.insert(work.id)
            return
        }
        var carried = Carried(
            layer: .nftables, endpoint: work.witness.endpoint, outcome.retired.rules,
            of: work.held?.rules ?? [:])
        if outcome.error == nil, let remains = outcome.remains { salvage(remains, of: work) }
        guard tenures[work.id] === work.tenure else {
            if outcome.error == nil { departures[work.id]?.state = work.wanted }
            return carry(carried, of: work.id)
        }
        if let error = outcome.error {
            failed(work, error)
            let left = holdings[work.id]?.state?.rules
            for rule in outcome.going where left?[Mark(rawValue: rule.mark)] == nil && left != nil {
                // The kernel's answer was lost; this is what was read just before.
                guard outcome.retired.rules[Mark(rawValue: rule.mark)] == nil else { continue }
                carried.rules[rule.rule, default: RuleCount()] += rule.count
            }
        } else {
            holdings[work.id] = Holding(
                presence: .owned, state: work.wanted, generation: ledger.generation,
                ruleset: outcome.ruleset)
            keep(work.tenure)
        }
        if let problem = outcome.retired.problem {
            let name = observed[work.id]?.name ?? "\(work.id)"
            logger.warning("flows of rules that went at '\(name)' may count twice: \(problem)")
        }
        if !outcome.wasHeard || otherTables[work.id] == nil { surveySoon(work.id) }
        carry(carried, of: work.id)
        // What was heard of meanwhile is looked at next.
        if !doubted.contains(work.id) { tellDrift(of: work.id, isRepaired: outcome.error == nil) }
    }

    /// Leaves a copy of the socket that owns the table with the service manager.
    func keep(_ tenure: Tenure) {
        do throws(SystemError) {
            try keeper?.keep(tenure.table.socket, of: tenure.id)
        } catch {
            logger.warning("the table of \(tenure.id) has no owner after a crash: \(error)")
        }
    }

    /// Reads the kernel's truth; the endpoint stays dirty and is tried again.
    private func failed(_ work: Work, _ error: NftablesError) {
        let name = observed[work.id]?.name ?? "\(work.id)"
        logger.error("endpoint '\(name)' is not in its new state: \(error)")
        var holding = holdings[work.id] ?? Holding(presence: .absent, state: nil)
        holding.isDoubtful = true
        holdings[work.id] = holding
        reread(work.tenure)
        holdings[work.id]?.problem = "\(error)"
        // What was just read is right now: a rule that has to go waits no longer than it must.
        schedule.set(.retry, at: .now + (work.hadFailed ? .milliseconds(500) : .zero))
    }

    /// Asks the kernel what it holds; where it doesn't say, nothing is concluded.
    ///
    /// To take a table for absent that is there would open it while it is made.
    private func reread(_ tenure: Tenure) {
        do throws(NftablesError) {
            holdings[tenure.id] =
                try persistently { () throws(NftablesError) in try Holding(reading: tenure) }
                ?? Holding(presence: .absent, state: nil)
            if refusedEntries.removeValue(forKey: tenure.id) != nil, isReady { finishUnfinished() }
        } catch {
            holdings[tenure.id]?.problem = "\(error)"
            if case .owned = error {
                retry(after: Self.refusedPause)
            } else {
                retry(after: .milliseconds(500))
            }
        }
    }
}

extension Holding {
    /// What a namespace holds; nil where there is no table of ours.
    ///
    /// A table that nobody owns is taken over first. Whoever is root there could change it while it is
    /// read: the kernel doesn't mark lists of elements as interrupted. Nobody can once it is ours.
    init?(reading tenure: Tenure) throws(NftablesError) {
        var isOrphaned = false
        switch try tenure.table.standing() {
        case .absent: return nil
        case .others(let port): throw .owned(byPort: port)
        case .strange:
            self.init(
                presence: .damaged, state: nil, damage: "no agent made the table",
                ruleset: try tenure.table.generation())
            return
        case .orphaned:
            try tenure.table.takeOver()
            isOrphaned = true
        case .ours: break
        }
        // Before the table: what comes after it in between is one transaction further.
        let ruleset = try tenure.table.generation()
        guard let reading = try tenure.table.read() else { return nil }
        let presence: TablePresence =
            !reading.isIntact ? .damaged : isOrphaned ? .orphaned : .owned
        self.init(
            presence: presence, state: reading.isIntact ? reading.state : nil,
            damage: reading.damage, ruleset: ruleset)
    }
}

extension Duration {
    var milliseconds: Double {
        Double(components.seconds) * 1000 + Double(components.attoseconds) / 1e15
    }
}
