internal import AgentCore
internal import Linux
internal import Logging
package import NetTypes
internal import Nftables
internal import Policy
internal import Reports

/// What the agent knows of other tables in a namespace.
struct OtherTables {
    /// Chains on hooks, by table.
    var survey = HookSurvey()
    /// Where the namespace's rulesets stood when it was last looked at, or last heard of.
    var generation: UInt32 = 0
    /// How many transactions were the agent's own by then.
    var own: UInt64 = 0
    /// Whether there are more chains than can be read in a moment: nobody listens there any more.
    var isUnfollowed = false
}

/// A namespace that is to be looked at.
struct PendingSurvey {
    var due: ContinuousClock.Instant
    /// How often it failed in a row.
    var failures = 0
}

/// What others do to the rulesets of endpoints.
extension Agent {
    /// A set of changes with more elements is made while nobody listens: the kernel would make a
    /// message of several KiB for each of them first.
    static let mostHeard = 512
    private static let surveyPause = Duration.milliseconds(20)
    private static let surveyLimit = Duration.milliseconds(250)

    /// Handles what the kernel told of the rulesets of some namespaces; those whose doing it is pay for the time.
    func rulesetsChanged(_ tokens: [UInt64]) {
        let start = ContinuousClock.now
        var sources: Set<EventSource> = []
        for token in tokens {
            if let origin = origin(of: token) {
                guard mayCall(origin, token, at: start) else { continue }
                sources.insert(origin.source)
            }
            guard let id = idOfSlot[token & (1 << 56 - 1)], let tenure = tenures[id] else {
                continue
            }
            do throws(SystemError) {
                let news = try tenure.rulesets.drain()
                for transaction in news.transactions { heard(transaction, in: id) }
                if news.overflowed {
                    metrics.lost.rules += 1
                    surveySoon(id)
                    // Somebody may keep the look from coming to an end.
                    checkOwnTable(of: id)
                }
            } catch {
                logger.error("rulesets of \(observed[id]?.name ?? "\(id)"): \(error)")
            }
        }
        throttle.charge(sources, from: start, to: .now)
    }

    /// Looks at namespaces in which nobody listened for a while, some at a time.
    func surveyDue(_ now: ContinuousClock.Instant) {
        let end = now + .milliseconds(2)
        for id in unsurveyed.filter({ $0.value.due <= now }).keys.sorted() {
            let start = ContinuousClock.now
            guard isAtRest(id) else {
                unsurveyed[id]?.due = start + .milliseconds(100)
                continue
            }
            let source = eventSource(of: id)
            if let end = throttle.pause(of: source, at: start) {
                unsurveyed[id]?.due = end
                continue
            }
            survey(id)
            throttle.charge([source], from: start, to: .now)
            if ContinuousClock.now > end { break }
        }
        schedule.set(
            .survey, at: unsurveyed.values.map(\.due).min().map { max($0, .now + Self.surveyPause) }
        )
    }

    /// Whether it is heard what others do in a namespace.
    package func isListening(in id: NamespaceID) -> Bool {
        otherTables[id]?.isUnfollowed == false && unsurveyed[id] == nil
    }

    /// Has a namespace looked at soon, and listened to from then on.
    func surveySoon(_ id: NamespaceID) {
        guard id != host, configuration.hostFilter != .only, otherTables[id]?.isUnfollowed != true,
            unsurveyed[id] == nil
        else { return }
        let due = ContinuousClock.now + Self.surveyPause
        unsurveyed[id] = PendingSurvey(due: due)
        schedule.set(.survey, noLaterThan: due)
    }

    /// Finds out which other tables have chains on hooks, and tells what is another than it was known.
    private func survey(_ id: NamespaceID) {
        guard let pending = unsurveyed.removeValue(forKey: id), let tenure = tenures[id], id != host
        else { return }
        do {
            // The answer comes over the socket that listens.
            try tenure.rulesets.leave()
            let start = try tenure.table.generation().number
            let answer = try tenure.rulesets.survey(within: Self.surveyLimit)
            guard case .tooLong = answer else {
                try tenure.rulesets.join()
                // Nothing may fall between the look and the ear.
                let generation = try tenure.table.generation().number
                if case .complete(let found) = answer, generation == start {
                    return take(found, generation, of: id, tenure)
                }
                return fail(pending, id, generation, tenure)
            }
            otherTables[id, default: OtherTables()].isUnfollowed = true
            // The rest of the answer stays in the kernel.
            try? loop.unwatch(tenure.rulesets.rawValue)
            resting[Source.rulesets.token(tenure.slot)] = nil
            note(
                .otherTable, subject: "?", of: id,
                "more chains than can be followed: what changes there is not recorded any more")
        } catch {
            logger.error("other tables of \(observed[id]?.name ?? "\(id)"): \(error)")
            fail(pending, id, nil, tenure)
        }
    }

    /// Tries again, after a longer pause each time.
    private func fail(
        _ pending: PendingSurvey, _ id: NamespaceID, _ generation: UInt32?, _ tenure: Tenure
    ) {
        try? tenure.rulesets.leave()
        let failures = pending.failures + 1
        let due = ContinuousClock.now + .milliseconds(50 << min(failures, 6))
        unsurveyed[id] = PendingSurvey(due: due, failures: failures)
        checkOwnTable(of: id)
        guard failures > 3, let generation else { return }
        countMissed(in: id, upTo: generation, tenure)
        otherTables[id, default: OtherTables()].generation = generation
        otherTables[id]?.own = tenure.table.commits
    }

    private func take(
        _ found: HookSurvey, _ generation: UInt32, of id: NamespaceID, _ tenure: Tenure
    ) {
        let known =
            otherTables[id]?.survey.hooks.keys.map(\.description) ?? ledger.otherTables?[id] ?? []
        tellSurvey(of: id, Set(known), found.hooks)
        countMissed(in: id, upTo: generation, tenure)
        otherTables[id] = OtherTables(
            survey: found, generation: generation, own: tenure.table.commits)
        remember(found.hooks, of: id)
    }

    /// Records transactions of others that nobody has read.
    private func countMissed(in id: NamespaceID, upTo generation: UInt32, _ tenure: Tenure) {
        guard let before = otherTables[id], before.generation != 0 else { return }
        let all = UInt64(generation &- before.generation)
        let own = tenure.table.commits
        let missed = all - min(all, own - min(own, before.own))
        guard missed > 0 else { return }
        note(
            .otherTable, subject: "?", of: id, "changes that could not be read one by one",
            times: missed)
        checkOwnTable(of: id)
    }

    private func tellSurvey(
        of id: NamespaceID, _ known: Set<String>, _ hooks: [TableName: Set<String>]
    ) {
        // Two names may look alike where they are shortened.
        let found = Dictionary(hooks.map { ($0.key.description, $0.value) }) { $0.union($1) }
        for (table, chains) in found.sorted(by: { $0.key < $1.key }) where !known.contains(table) {
            let names = chains.sorted().prefix(3).map(\.foreignName).joined(separator: ", ")
            note(
                .otherTable, subject: table, of: id,
                "table \(table): found on hooks with \(names)")
        }
        for table in known.sorted() where found[table] == nil {
            note(.otherTableGone, subject: table, of: id, "table \(table): found gone")
        }
    }

    private func remember(_ hooks: [TableName: Set<String>], of id: NamespaceID) {
        let names = hooks.isEmpty ? nil : hooks.keys.sorted().prefix(256).map(\.description)
        guard ledger.otherTables?[id] != names else { return }
        var all = ledger.otherTables ?? [:]
        all[id] = names
        ledger.otherTables = all
        saveSoon()
    }

    /// Somebody made a transaction.
    private func heard(_ transaction: ForeignTransaction, in id: NamespaceID) {
        let start = ContinuousClock.now
        // Taken out, so that it is not copied; a repair on the way has to find that somebody listens.
        guard otherTables[id] != nil,
            var others = otherTables.updateValue(OtherTables(), forKey: id)
        else { return }
        var isOther = false
        defer {
            otherTables[id] = others
            if isOther { remember(others.survey.hooks, of: id) }
        }
        // What was looked at later is known already.
        let ahead = Int32(bitPattern: transaction.generation &- others.generation)
        guard ahead > 0 else { return }
        var culprit = Culprit(process: transaction.process, pid: transaction.pid)
        var lookedUp = false
        func who() -> Culprit {
            // At once: whoever it was may be gone in a moment.
            if !lookedUp, let pid = culprit.pid, let name = culprit.process {
                culprit.owner = ProcessOwner(pid: pid, name: name)
            }
            lookedUp = true
            return culprit
        }
        for change in transaction.changes {
            if change.table == .own {
                repair(id, OpenDrift(change: change.text, culprit: who(), heard: start))
                continue
            }
            let wasHooked = others.survey.hooks[change.table] != nil
            others.follow(change)
            let isHooked = others.survey.hooks[change.table] != nil
            isOther = isOther || wasHooked != isHooked
            // A table without a chain on a hook judges nothing.
            guard wasHooked || isHooked else { continue }
            let words = isHooked || change.fate == .removed ? "" : "; no chain on a hook any more"
            note(
                isHooked ? .otherTable : .otherTableGone, subject: change.table.description, of: id,
                change.text + words, by: who())
        }
        others.generation = transaction.generation
        others.own = tenures[id]?.table.commits ?? others.own
    }

    /// Asks the kernel whether the table is still ours, where nobody knows what was done.
    private func checkOwnTable(of id: NamespaceID) {
        guard isAtRest(id), let tenure = tenures[id], holdings[id]?.presence == .owned,
            (try? tenure.table.isOwned()) == false
        else { return }
        repair(id, OpenDrift(change: "the table was another's or gone", heard: .now))
    }
}

extension OtherTables {
    /// Takes in what a transaction did to another table.
    mutating func follow(_ change: TableChange) {
        if change.fate == .removed {
            survey.hooks[change.table] = nil
            return
        }
        survey.hooks[change.table]?.subtract(change.goneChains)
        if survey.hooks[change.table]?.isEmpty == true { survey.hooks[change.table] = nil }
        survey.add(change.hooked.map(\.name), to: change.table)
    }
}
