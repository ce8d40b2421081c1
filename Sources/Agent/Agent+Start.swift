internal import AgentCore
internal import HostFilter
internal import Glibc
internal import Linux
internal import Logging
internal import NetTypes
internal import Nftables
internal import Policy
internal import Reports
internal import Rules
internal import Synchronization
internal import Store

extension Agent {
    /// Reads everything once, then brings every endpoint into its state.
    func start() throws {
        let clock = ContinuousClock()
        let begun = clock.now
        readLedger()
        store.record(AgentRun(started: started, version: Agent.version, pid: getpid()))
        try enterHost()
        descriptors = descriptorBudget()
        let resumption = resume()
        let resumed = clock.now
        takeKeptPolicies()
        rescanPolicies()
        let policiesRead = clock.now
        refreshNamespaces()
        let namespacesRead = clock.now
        if let resumption {
            compile()
            settle(resumption)
        }
        logger.info(
            "read everything once",
            metadata: [
                "resumed": "\(resumed - begun)", "policies": "\(policiesRead - resumed)",
                "namespaces": "\(namespacesRead - policiesRead)",
            ])
        carryVanished()
        finishUnfinished()
        keeper?.dropRest(except: refusedEntries.keys)
        let inherited = Array(holdings.keys)
        isReady = true
        loseDirectoryOverEnforcement()
        if isWithoutPolicies {
            // The kernel keeps what an earlier agent left; it is closed for whoever is new.
            logger.error("no policy could be read; nothing is changed until one can be")
        } else if resumption != nil {
            applyCompilation(after: .zero)
        } else {
            buildFirst()
        }
        followReadiness()
        saveSoon()
        keep(unkept)
        unkept = [:]
        watch(watcher.descriptor, .policies)
        watch(alarm.descriptor.rawValue, .time)
        watch(source.folders.namesDescriptor, .names)
        watch(source.folders.mountsDescriptor, .mounts, for: .priority)
        for id in inherited { refusalPolling.schedule(id, at: .now) }
    }

    /// What the host filter, the history and questions take comes later.
    private func descriptorBudget() -> DescriptorBudget? {
        guard let limit = DescriptorLimit.current, let open = try? DescriptorLimit.open() else {
            return nil
        }
        return DescriptorBudget(
            limit: limit, base: open + (configuration.hostFilter == .off ? 24 : 64))
    }

    /// An empty directory is no order to revoke what an earlier agent enforced, though nothing tells what that was.
    private func loseDirectoryOverEnforcement() {
        guard inputs.accepted.files.isEmpty, inputs.errors.isEmpty, !watcher.directory.holdsFiles
        else { return }
        let holdsRules = holdings.values.contains {
            $0.isAsLeft || $0.state.map { !$0.rules.isEmpty } ?? false
        }
        let isGuarded = HostFilter.isPresent(
            root: configuration.bpfFileSystem, host: host?.inode ?? 0)
        if holdsRules || isGuarded { sight.lose(at: clock()) }
    }

    /// Writes down what was counted; the tables stay as they are.
    func finish() async {
        isStopping = true
        await settleDown(within: .seconds(10))
        readAllRefusals()
        readHostRefusals()
        save()
        writeCheckpoint()
        scribe.finish()
        store.record(
            AgentRun(started: started, stopped: clock(), version: Agent.version, pid: getpid()))
        await store.close()
        for stream in streams.values { stream.finish() }
        logger.info("stopped; enforcement stays in place")
    }

    private func readLedger() {
        if let damage = announced.damage { noteDamage(damage) }
        do throws(SealedFile.Damage) {
            if let kept = try ledgerFile.read() { ledger = kept }
            guards = guards.resumed(in: Checkpoint.boot)
        } catch {
            noteDamage(ledgerFile.file.setAside(error.reason, "counting starts again"))
        }
        // An agent that was killed wrote these after its last ledger.
        let found = journal.read(after: ledger.journalEntry ?? 0)
        if let damage = found.damage { noteDamage(damage) }
        for entry in found.carried { ledger.carry(entry) }
        unfinished = found.unfinished
        ledger.journalEntry = journal.last
    }

    func save() {
        // What the journal has of changes that are under way is in no ledger yet.
        guard underWay == nil else { return schedule.set(.save, noLaterThan: .now) }
        schedule.cancel(.save)
        remember()
        let start = ContinuousClock.now
        scribe.write(ledger) { [weak self] outcome in
            guard let self else { return }
            Task { await self.saved(outcome, begun: start) }
        }
    }

    /// What is only in memory now should be there for as short a time as can be; but under a flood that never ends,
    /// writing the ledger again and again would take a processor.
    func saveInHaste() {
        schedule.set(.save, noLaterThan: ledgerBudget.next(.now))
    }

    /// Writes down what a later agent may compare, if all is in order.
    func writeCheckpoint() {
        schedule.cancel(.checkpoint)
        isOutdatedSince = nil
        guard let checkpoint = checkpoint() else { return }
        scribe.write(checkpoint) { [logger] error in
            logger.warning("the next start has to read everything: \(error)")
        }
    }

    private func saved(
        _ outcome: Result<UInt64, LedgerError>, begun: ContinuousClock.Instant
    ) {
        ledgerBudget.spend(from: begun, to: .now)
        do {
            try journal.clear(upTo: outcome.get())
            ledgerError = nil
        } catch {
            if ledgerError == nil { logger.error("\(error)") }
            ledgerError = "\(error)"
        }
    }

    /// What an endpoint is called in counts that outlive its namespace.
    func endpointName(_ id: NamespaceID) -> EndpointName? {
        endpoint(id).map { EndpointName(tenant: $0.tenant, name: $0.name) }
    }

    /// Counts of tables that went while no agent ran, as they were last read.
    private func carryVanished() {
        for (id, totals) in ledger.tables ?? [:]
        where holdings[id]?.state == nil && refusedEntries[id] == nil {
            ledger.tables?[id] = nil
            carry(
                Carried(
                    layer: .nftables, endpoint: totals.endpoint, [:], of: [:],
                    refused: totals.refused))
        }
    }

    /// Counts that can be read again from the kernel are written down once a second.
    ///
    /// What only saves a later start its time waits until nothing has changed for two, or for half a
    /// minute: between two changes there is better to do.
    func saveSoon() {
        let now = ContinuousClock.now
        schedule.set(.save, noLaterThan: now + .seconds(1))
        isOutdatedSince = isOutdatedSince ?? now
        schedule.set(
            .checkpoint, at: min(now + .seconds(2), (isOutdatedSince ?? now) + .seconds(30)))
    }
}
