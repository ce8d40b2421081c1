internal import Linux
internal import Logging
internal import Nftables
internal import Policy
internal import Reports

extension Agent {
    /// Reads everything once, then brings every endpoint into its state.
    func start() throws {
        readLedger()
        try enterHost()
        rescanPolicies()
        refreshNamespaces()
        let inherited = Array(holdings.keys)
        isReady = true
        if snapshot.problems[watcher.directory.path] != nil
            || inputs.accepted.files.isEmpty && !inputs.errors.isEmpty
        {
            // The kernel keeps what an earlier agent left; it is closed for whoever is new.
            logger.error("no policy could be read; nothing is changed until one can")
        } else {
            rebuild()
        }
        watch(watcher.descriptor, .policies)
        watch(source.folders.namesDescriptor, .names)
        watch(source.folders.mountsDescriptor, .mounts, for: .priority)
        for id in inherited { watchedRefusals[id] = .now }
    }

    /// Writes down what was counted; the tables stay as they are.
    func finish() {
        readAllRefusals()
        save()
        for stream in streams.values { stream.finish() }
        logger.info("stopped; enforcement stays in place")
    }

    private func readLedger() {
        do throws(LedgerError) {
            if let kept = try ledgerFile.read() { ledger = kept }
        } catch {
            logger.error("\(error); counting starts again")
            ledgerFile.setAside()
        }
    }

    func save() {
        saveAt = nil
        do throws(LedgerError) {
            try ledgerFile.write(ledger)
            ledgerError = nil
        } catch {
            if ledgerError == nil { logger.error("\(error)") }
            ledgerError = "\(error)"
        }
    }

    /// Counts that can be read again from the kernel are written down once a second.
    func saveSoon() { saveAt = saveAt ?? ContinuousClock.now + .seconds(1) }
}
