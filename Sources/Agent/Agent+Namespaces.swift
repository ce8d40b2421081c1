internal import AgentCore
internal import Glibc
internal import Linux
internal import Logging
internal import NetTypes
internal import Nftables
internal import Policy
internal import Rules

/// A namespace whose last name is gone, while its table can't be read yet.
struct Departure {
    let tenure: Tenure
    let endpoint: EndpointName?
    /// What its table is known to hold; nil where that is not known.
    var state: EndpointState?

    var rules: RuleTable { state?.rules ?? [:] }
}

extension Agent {
    /// Finds namespaces that came and went; answers whether the topology may be another now.
    @discardableResult
    func refreshNamespaces() -> Bool {
        let claims =
            (inputs.accepted.tenants.values.flatMap(\.claims)
            + announced.claims.values.flatMap(\.self)).map(\.target)
        // What was a tenant's is looked for as long as it is there: it stays closed when no claim names it any more.
        let known = observed.values.filter { $0.id != host }
        let paths =
            claims.compactMap { if case .path(let path) = $0 { path } else { nil } }
            + known.flatMap(\.paths)
        let pids =
            claims.compactMap { if case .pid(let pid) = $0 { pid } else { nil } }
            + known.flatMap(\.pids) + configuration.pids
        // Where no policy could be read, no claim was removed.
        if !inputs.accepted.files.isEmpty || inputs.errors.isEmpty {
            source.keepClaims(of: pids)
        }
        let found = look(paths: Set(paths).sorted(), pids: Set(pids).sorted())
        announced.keep { announcement in
            found[announcement.id].map(announcement.isOf) ?? false
        }
        refusedEntries = refusedEntries.filter { found[$0.key] != nil }
        let gone = tenures.keys.filter { found[$0] == nil && $0 != host }
        for id in gone { leave(id) }
        let new = found.values.filter { tenures[$0.id] == nil }
        enter(new.sorted { $0.id < $1.id })
        if isReady { finishUnfinished() }
        var changed = !gone.isEmpty || new.contains { tenures[$0.id] != nil }
        for (id, found) in found {
            guard let old = observed[id], old.paths != found.paths || old.pids != found.pids else {
                continue
            }
            observed[id] = ObservedNamespace(
                id: id, paths: found.paths, pids: found.pids, interfaces: old.interfaces,
                hostNumber: old.hostNumber)
            changed = true
        }
        return changed
    }

    /// Everything that can be found now, the host left out.
    func look(paths: [String], pids: [Int32]) -> [NamespaceID: NamespaceSource.Found] {
        let known = Set(source.processDescriptors.keys)
        var found = source.look(paths: paths, pids: pids)
        keepProcessClaims()
        tellDoubts()
        planToCheckLinks()
        for (pid, descriptor) in source.processDescriptors where !known.contains(pid) {
            watch(descriptor, .process, UInt64(UInt32(bitPattern: pid)))
        }
        if let host { found[host] = nil }
        return found
    }

    /// Reads the links and addresses of a namespace; answers whether they are others now.
    @discardableResult
    func refreshInterfaces(of id: NamespaceID) -> Bool {
        guard let tenure = tenures[id], let old = observed[id] else { return false }
        do throws(SystemError) {
            let next = try persistently { () throws(SystemError) in
                try tenure.observe(paths: old.paths, pids: old.pids)
            }
            observed[id] = next
            unreadInterfaces.remove(id)
            return next != old
        } catch {
            if unreadInterfaces.insert(id).inserted {
                logger.error("addresses of \(old.name): \(error); they are read again")
            }
            planToLookAgain()
            return false
        }
    }

    /// How long a table is left alone that is another's.
    static let refusedPause = Duration.seconds(2)

    /// Opens the host namespace, which is watched for its addresses only.
    func enterHost() throws {
        let namespace =
            try configuration.hostNamespace.map { (path) throws(SystemError) in
                try NetworkNamespace(at: path)
            } ?? NetworkNamespace.current()
        let slot = nextSlot()
        let tenure = try persistently { () throws(SystemError) in
            try Tenure(entering: namespace, slot: slot, isHost: true)
        }
        host = tenure.id
        take(tenure)
        hostNamespace = HostNamespace(namespace)
        observed[tenure.id] = try persistently { () throws(SystemError) in
            try tenure.observe(paths: [], pids: [])
        }
    }

    /// Opens namespaces and reads what they hold, several at a time; what stands as an earlier agent
    /// left it isn't read.
    func enter(_ all: [NamespaceSource.Found], as left: [NamespaceID: Checkpoint.Table] = [:]) {
        let room = descriptors?.room(besides: tenures.count) ?? .max
        let found = Array(all.prefix(room))
        for beyond in all.dropFirst(room) {
            refuse(
                beyond,
                SystemError("reserve descriptors for a namespace", code: EMFILE))
        }
        let first = lastSlot + 1
        lastSlot += UInt64(found.count)
        let entries = concurrently(found.count) { [keeper, hostNamespace] index in
            Result { () throws(Entry.Failure) in
                try Entry(
                    found[index], slot: first + UInt64(index), keeper: keeper,
                    host: hostNamespace, left: left[found[index].id])
            }
        }
        for (entry, found) in zip(entries, found) {
            switch entry {
            case .success(let entry):
                keeper?.takenOver(found.id)
                take(entry.tenure)
                if entry.holding != nil { surveySoon(found.id) }
                observed[found.id] = entry.observed
                refusedEntries[found.id] = nil
                if let holding = entry.holding { holdings[found.id] = holding }
                credit(entry.leftovers, of: found.id)
                if let refusal = entry.refusal { tableRefused(found.id, refusal) }
            case .failure(let failure):
                credit(failure.leftovers, of: found.id)
                refuse(found, failure.reason)
            }
        }
        if refusedEntries.isEmpty { lookAgainPause = Self.leastPause }
    }

    /// Says once why a namespace can't be taken over, and tries again later: another agent may hold
    /// it, or it may have gone while it was looked at.
    private func refuse(_ found: NamespaceSource.Found, _ error: any Error) {
        let reason = "\(error)"
        if let error = error as? SystemError, error.saysNothingIsThere {
            logger.debug("\(found.paths.first ?? "process \(found.pids)") is gone: \(reason)")
        } else if refusedEntries[found.id] != reason {
            logger.warning("\(found.paths.first ?? "process \(found.pids)"): \(reason)")
        }
        refusedEntries[found.id] = reason
        if case NftablesError.owned = error { lookAgainPause = Self.greatestPause }
        planToLookAgain()
    }

    /// Goes on without the table of a namespace, which is tried again.
    ///
    /// Its addresses and links are followed all the same, so that they are not taken for the world's. Where the host filter is the only layer, a table in the namespace is of no
    /// concern.
    private func tableRefused(_ id: NamespaceID, _ error: NftablesError) {
        let name = observed[id]?.name ?? "\(id)"
        logger.warning(
            "table unavailable",
            metadata: [
                "namespace": "\(name)", "error": "\(error)",
                "protected": configuration.hostFilter == .off ? "no" : "by the host filter only",
            ])
        let isOthers = if case .owned = error { true } else { false }
        guard configuration.hostFilter != .only else {
            // What may be an earlier agent's is taken away like every other.
            if !isOthers { holdings[id] = Holding(presence: .absent, state: nil) }
            return
        }
        refusedEntries[id] = "\(error)"
        holdings[id] = Holding(
            presence: .absent, state: nil, problem: "\(error)", isDoubtful: true)
        retry(after: isOthers ? Self.refusedPause : Self.leastPause)
    }

    /// Tries again what failed, after so long at most.
    func retry(after pause: Duration) {
        schedule.set(.retry, noLaterThan: .now + pause)
    }

    /// Reads the last counts of a namespace whose last name is gone, and lets it go.
    private func leave(_ id: NamespaceID) {
        keeper?.drop(id)
        guard let tenure = tenures.removeValue(forKey: id) else { return }
        let holding = holdings.removeValue(forKey: id)
        let departure = Departure(
            tenure: tenure, endpoint: endpointName(id), state: holding?.state)
        if !isAtRest(id) { departures[id] = departure }
        // They are closed later: nobody would take what comes in.
        let descriptors = [
            tenure.monitor.descriptor, tenure.rulesets.rawValue, tenure.log?.refusals.rawValue,
        ]
        for descriptor in descriptors.compactMap(\.self) { try? loop.unwatch(descriptor) }
        defer { writer.release(tenure) }
        if holding?.state != nil {
            if isAtRest(id) { close(departure, attributed: true) }
            ledger.tables?[id] = nil
            ledger.book.leave(id)
            saveSoon()
        }
        idOfSlot[tenure.slot] = nil
        resting[Source.links.token(tenure.slot)] = nil
        resting[Source.rulesets.token(tenure.slot)] = nil
        if driftBook.hasGrown { keepDrift() }
        driftBook.leave(id)
        drift[id] = nil
        otherTables[id] = nil
        unsurveyed[id] = nil
        ledger.otherTables?[id] = nil
        observed[id] = nil
        refusalPolling.forget(id)
    }

    /// Keeps what a table has counted whose namespace has no name any more.
    ///
    /// - Parameters:
    ///   - departure: The namespace.
    ///   - attributed: Whether it is still known whose it was, for each refused flow.
    func takeLastCounts(_ departure: Departure, attributed: Bool) {
        let id = departure.tenure.id
        do throws(NftablesError) {
            take(try departure.tenure.table.counts(), of: departure, attributed: attributed)
        } catch {
            logger.error("last counts of \(departure.endpoint?.name ?? "\(id)"): \(error)")
        }
    }

    func take(_ counts: TableCounts, of departure: Departure, attributed: Bool) {
        if attributed { takeRefusals(counts, of: departure.tenure.id) }
        carry(
            Carried(
                layer: .nftables, endpoint: departure.endpoint, counts.rules,
                of: departure.rules, refused: counts.totals))
    }

    private func take(_ tenure: Tenure) {
        tenures[tenure.id] = tenure
        idOfSlot[tenure.slot] = tenure.id
        watch(tenure.monitor.descriptor, .links, tenure.slot)
        watch(tenure.rulesets.rawValue, .rulesets, tenure.slot)
        if let descriptor = tenure.log?.refusals.rawValue {
            watch(descriptor, .refusals, tenure.slot)
        } else {
            refusalPolling.schedule(tenure.id, at: .now)
            if tenure.id != host {
                logger.warning(
                    "\(tenure.id): another program has the packet log; refused flows are looked for once a second"
                )
            }
        }
    }

    private func nextSlot() -> UInt64 {
        lastSlot += 1
        return lastSlot
    }

    func watch(
        _ descriptor: CInt, _ source: Source, _ slot: UInt64 = 0,
        for interest: Poller.Interest = .readable
    ) {
        do {
            try persistently { () throws(SystemError) in
                try loop.watch(descriptor, token: source.token(slot), for: interest)
            }
        } catch {
            logger.critical("\(error)")
        }
    }
}
