internal import AgentCore
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

/// What the agent does at a certain time, in the order in which it does what is due together.
enum ScheduledTask: Int, Comparable {
    /// Write again what could not be brought into force.
    case retry
    /// Look again at what could not be read.
    case lookAgain
    /// See whether namespaces that were found through links are still there.
    case links
    /// Read the flows that the host filter refused.
    case hostRefusals
    /// Take idle flows out of the host filter.
    case sweep
    /// Look whether the host filter's programs are attached.
    case guards
    /// Look at the tables of others.
    case survey
    /// Tell of drift that grew.
    case drift
    /// Write the ledger.
    case save
    /// Write what the next start may compare.
    case checkpoint
    /// Give back memory that a large change needed.
    case trim

    static func < (left: ScheduledTask, right: ScheduledTask) -> Bool {
        left.rawValue < right.rawValue
    }
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
        var sources: Set<EventSource> = []
        var looksForNamespaces = false
        var needsRebuild = false
        for token in tokens {
            if let origin = origin(of: token) {
                guard mayCall(origin, token, at: start) else { continue }
                sources.insert(origin.source)
            }
            if Source(rawValue: token >> 56) == .links {
                needsRebuild = linksChanged(token & (1 << 56 - 1)) || needsRebuild
            } else {
                looksForNamespaces = true
            }
        }
        if looksForNamespaces { needsRebuild = namespacesChanged() || needsRebuild }
        if needsRebuild { rebuild() }
        throttle.charge(sources, from: start, to: .now)
    }

    /// Does what its time has come for; answers how long until the next.
    private func untilNextDue(_ now: ContinuousClock.Instant) -> Duration? {
        readFiles(fileQueue.takeDue(now))
        endRests(now)
        readDueRefusals()
        for task in schedule.takeDue(now, except: heldTasks) { perform(task, now) }
        let due = [
            schedule.next(except: heldTasks), fileQueue.next,
            refusalPolling.next(now),
            resting.values.map(\.end).min(),
        ]
        return due.compactMap { $0 }.min().map { max(.zero, $0 - ContinuousClock.now) }
    }

    /// The ledger has to wait until what is being written is in it.
    private var heldTasks: Set<ScheduledTask> { underWay == nil ? [] : [.save] }

    private func perform(_ task: ScheduledTask, _ now: ContinuousClock.Instant) {
        switch task {
        case .retry: retry()
        case .lookAgain: lookAgain()
        case .links: checkLinks()
        case .hostRefusals: readHostRefusalsAtPace()
        case .sweep: sweepHostFilter(now)
        case .guards: checkGuards(now)
        case .survey: surveyDue(now)
        case .drift: keepDrift()
        case .save: save()
        case .checkpoint: writeCheckpoint()
        case .trim:
            // Before a flow is refused: the first to ask would wait for the index.
            _ = mentionIndex()
            Memory.trim()
        }
    }

    private func namespacesChanged() -> Bool {
        do {
            try source.folders.drain()
        } catch {
            metrics.lost.links += 1
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
            case .overflowed: metrics.lost.links += 1
            }
        } catch {
            logger.error("links of \(id): \(error)")
        }
        return refreshInterfaces(of: id)
    }
}
