internal import Linux
internal import Logging
internal import NetTypes
internal import Reports

/// What an event of the loop speaks of.
enum Source: UInt64 {
    case policies = 1
    case names = 2
    case mounts = 3
    case process = 4
    case links = 5
    case refusals = 6
    case hostRefusals = 7
    case time = 8
    case rulesets = 9

    /// The kind in the high byte, the namespace's slot or the pid in the rest.
    func token(_ slot: UInt64 = 0) -> UInt64 { rawValue << 56 | slot }
}

extension Agent {
    /// Handles what is ready; answers how long to wait for more.
    func turn(_ tokens: [UInt64]) -> Duration? {
        guard isReady else { return nil }
        var surroundings: [UInt64] = []
        var rulesets: [UInt64] = []
        for token in tokens.sorted() {
            switch Source(rawValue: token >> 56) {
            case .policies: policiesChanged()
            case .names, .mounts, .process, .links: surroundings.append(token)
            case .refusals: refusalsLogged(token & (1 << 56 - 1))
            case .hostRefusals: hostRefusalsLogged()
            case .time: timeMoved()
            case .rulesets: rulesets.append(token)
            case nil: continue
            }
        }
        if tokens.contains(Source.mounts.token()) { lookForDirectory() }
        if !rulesets.isEmpty { rulesetsChanged(rulesets) }
        surroundingsChanged(surroundings)
        defer { followReadiness() }
        return untilNextDue(ContinuousClock.now)
    }

    /// Namespaces, links or addresses may be others; those pay for the time whose doing it is.
    func surroundingsChanged(_ tokens: [UInt64]) {
        let start = ContinuousClock.now
        var callers: Set<Caller> = []
        var looksForNamespaces = false
        var needsRebuild = false
        for token in tokens {
            if let origin = origin(of: token) {
                guard mayCall(origin, token, at: start) else { continue }
                callers.insert(origin.caller)
            }
            if Source(rawValue: token >> 56) == .links {
                needsRebuild = linksChanged(token & (1 << 56 - 1)) || needsRebuild
            } else {
                looksForNamespaces = true
            }
        }
        if looksForNamespaces { needsRebuild = namespacesChanged() || needsRebuild }
        if needsRebuild { rebuild() }
        charge(callers, from: start)
    }

    /// Does what its time has come for; answers how long until the next.
    private func untilNextDue(_ now: ContinuousClock.Instant) -> Duration? {
        let settled = unsettled.filter { $0.value <= now }.map(\.key)
        if !settled.isEmpty {
            for path in settled { unsettled[path] = nil }
            readFiles(settled)
        }
        endRests(now)
        if let retryAt, retryAt <= now { retry() }
        if let lookAgainAt, lookAgainAt <= now {
            self.lookAgainAt = nil
            lookAgain()
        }
        checkLinks(now)
        readDueRefusals(now)
        if let hostRefusalsDue, hostRefusalsDue <= now { readHostRefusalsAtPace() }
        sweepHostFilter(now)
        checkGuards(now)
        surveyDue(now)
        if let driftDue, driftDue <= now { keepDrift() }
        if underWay == nil, let saveAt, saveAt <= now { save() }
        if let checkpointAt, checkpointAt <= now { writeCheckpoint() }
        if let trimAt, trimAt <= now {
            self.trimAt = nil
            // Before somebody is refused: whoever comes first would wait for it.
            _ = mentionIndex()
            Memory.trim()
        }
        let due = [
            retryAt, lookAgainAt, linksDue, underWay == nil ? saveAt : nil, checkpointAt, trimAt,
            hostRefusalsDue, sweepAt,
            surveyAt, driftDue, guardsDue,
            unsettled.values.min(),
            watchedRefusals.values.min().map { max($0, allRefusalsPace.next(now)) },
            resting.values.map(\.end).min(),
        ]
        return due.compactMap { $0 }.min().map { max(.zero, $0 - ContinuousClock.now) }
    }

    private func namespacesChanged() -> Bool {
        do {
            try source.folders.drain()
        } catch {
            lost.links += 1
            logger.error("namespace folders: \(error)")
        }
        return refreshNamespaces()
    }

    private func linksChanged(_ slot: UInt64) -> Bool {
        guard let id = idOfSlot[slot], let tenure = tenures[id] else { return false }
        do {
            switch try tenure.monitor.drain() {
            case .changes(let changes):
                // A bridge's carrier and the like make news of every port, and a tenant can make
                // news of the host's end of its link as often as it likes.
                guard let known = observed[id], !unreadInterfaces.contains(id),
                    known.shows(changes)
                else { break }
                return false
            case .overflowed: lost.links += 1
            }
        } catch {
            logger.error("links of \(id): \(error)")
        }
        return refreshInterfaces(of: id)
    }
}
