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

    /// The kind in the high byte, the namespace's slot or the pid in the rest.
    func token(_ slot: UInt64 = 0) -> UInt64 { rawValue << 56 | slot }
}

extension Agent {
    /// Handles what is ready; answers how long to wait for more.
    func turn(_ tokens: [UInt64]) -> Duration? {
        guard isReady else { return nil }
        var needsRebuild = false
        for token in tokens.sorted() {
            let slot = token & (1 << 56 - 1)
            switch Source(rawValue: token >> 56) {
            case .policies: policiesChanged()
            case .names, .mounts, .process: needsRebuild = namespacesChanged() || needsRebuild
            case .links: needsRebuild = linksChanged(slot) || needsRebuild
            case .refusals: refusalsLogged(slot)
            case .hostRefusals: hostRefusalsLogged()
            case .time: timeMoved()
            case nil: continue
            }
        }
        if needsRebuild { rebuild() }
        return untilNextDue(ContinuousClock.now)
    }

    /// Does what its time has come for; answers how long until the next.
    private func untilNextDue(_ now: ContinuousClock.Instant) -> Duration? {
        let settled = unsettled.filter { $0.value <= now }.map(\.key)
        if !settled.isEmpty {
            for path in settled { unsettled[path] = nil }
            readFiles(settled)
        }
        if let retryAt, retryAt <= now { retry() }
        if let lookAgainAt, lookAgainAt <= now {
            self.lookAgainAt = nil
            lookAgain()
        }
        readDueRefusals(now)
        if let hostRefusalsDue, hostRefusalsDue <= now { readHostRefusalsAtPace() }
        sweepHostFilter(now)
        if let saveAt, saveAt <= now { save() }
        if let checkpointAt, checkpointAt <= now { writeCheckpoint() }
        if let trimAt, trimAt <= now {
            self.trimAt = nil
            Memory.trim()
        }
        let due = [
            retryAt, lookAgainAt, saveAt, checkpointAt, trimAt, hostRefusalsDue, sweepAt,
            unsettled.values.min(), watchedRefusals.values.min(),
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
