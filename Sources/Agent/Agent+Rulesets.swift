internal import Linux
internal import Logging
package import NetTypes
internal import Nftables
internal import Policy
internal import Reports

/// What the agent knows of other tables in a namespace.
struct OtherTables {
    /// Chains on hooks, by table.
    var hooks: [TableName: Set<String>] = [:]
    /// Where the namespace's rulesets stood when it was last looked at, or last heard of.
    var generation: UInt32 = 0
    /// How many transactions were the agent's own by then.
    var own: UInt64 = 0
}

/// What others do to the rulesets of endpoints.
extension Agent {
    /// A set of changes with more elements is made while nobody listens: the kernel would make a
    /// message of several KiB for each of them first.
    static let mostHeard = 512
    private static let surveyPause = Duration.milliseconds(20)

    /// Handles what the kernel told of the rulesets of some namespaces; those whose doing it is pay for the time.
    func rulesetsChanged(_ tokens: [UInt64]) {
        let start = ContinuousClock.now
        var callers: Set<Caller> = []
        for token in tokens {
            if let origin = origin(of: token) {
                guard mayCall(origin, token, at: start) else { continue }
                callers.insert(origin.caller)
            }
            guard let id = idOfSlot[token & (1 << 56 - 1)], let tenure = tenures[id] else {
                continue
            }
            do throws(SystemError) {
                let news = try tenure.rulesets.drain()
                for transaction in news.transactions { heard(transaction, in: id) }
                if news.overflowed {
                    lost.rules += 1
                    unsurveyed.insert(id)
                    survey(id)
                }
            } catch {
                logger.error("rulesets of \(observed[id]?.name ?? "\(id)"): \(error)")
            }
        }
        charge(callers, from: start)
    }

    /// Looks at namespaces in which nobody listened for a while, some at a time.
    func surveyDue(_ now: ContinuousClock.Instant) {
        guard let due = surveyAt, due <= now else { return }
        let end = now + .milliseconds(2)
        while let id = unsurveyed.first {
            survey(id)
            if ContinuousClock.now > end { break }
        }
        surveyAt = unsurveyed.isEmpty ? nil : .now + Self.surveyPause
    }

    /// Whether it is heard what others do in a namespace.
    package func isListening(in id: NamespaceID) -> Bool {
        otherTables[id] != nil && !unsurveyed.contains(id)
    }

    /// Has a namespace looked at soon, and listened to from then on.
    func surveySoon(_ id: NamespaceID) {
        guard id != host, configuration.hostFilter != .only else { return }
        unsurveyed.insert(id)
        surveyAt = surveyAt ?? .now + Self.surveyPause
    }

    /// Finds out which other tables have chains on hooks, and tells what is another than it was known.
    private func survey(_ id: NamespaceID) {
        unsurveyed.remove(id)
        guard let tenure = tenures[id], id != host else { return }
        do {
            // First of all, so that nothing falls between the two.
            try tenure.rulesets.join()
            let generation = try tenure.table.generation().number
            let own = tenure.table.commits
            let hooks = try tenure.table.otherHooks()
            let before = otherTables[id]
            let known = before?.hooks.keys.map(\.description) ?? ledger.otherTables?[id] ?? []
            tellSurvey(of: id, Set(known), hooks)
            if let before {
                let all = UInt64(generation &- before.generation)
                let missed = all - min(all, own - min(own, before.own))
                if missed > 0 {
                    note(
                        .otherTable, subject: "?", of: id,
                        "changes that could not be read one by one", times: missed)
                    checkOwnTable(of: id)
                }
            }
            otherTables[id] = OtherTables(hooks: hooks, generation: generation, own: own)
            remember(hooks, of: id)
        } catch {
            logger.error("other tables of \(observed[id]?.name ?? "\(id)"): \(error)")
        }
    }

    private func tellSurvey(
        of id: NamespaceID, _ known: Set<String>, _ hooks: [TableName: Set<String>]
    ) {
        let found = Dictionary(uniqueKeysWithValues: hooks.map { ($0.key.description, $0.value) })
        for (table, chains) in found.sorted(by: { $0.key < $1.key }) where !known.contains(table) {
            let names = chains.sorted().prefix(3).joined(separator: ", ")
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
        guard var others = otherTables[id] else { return }
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
            let wasHooked = others.hooks[change.table] != nil
            others.follow(change)
            let isHooked = others.hooks[change.table] != nil
            // A table without a chain on a hook judges nothing.
            guard wasHooked || isHooked else { continue }
            let words = isHooked || change.fate == .removed ? "" : "; no chain on a hook any more"
            note(
                isHooked ? .otherTable : .otherTableGone, subject: change.table.description, of: id,
                change.text + words, by: who())
        }
        others.generation = transaction.generation
        others.own = tenures[id]?.table.commits ?? others.own
        otherTables[id] = others
        remember(others.hooks, of: id)
    }

    /// Asks the kernel whether the table is still ours, where nobody knows what was done.
    private func checkOwnTable(of id: NamespaceID) {
        guard let tenure = tenures[id], holdings[id]?.presence == .owned,
            (try? tenure.table.isOwned()) == false
        else { return }
        repair(id, OpenDrift(change: "the table was another's or gone", heard: .now))
    }
}

extension OtherTables {
    /// Takes in what a transaction did to another table.
    mutating func follow(_ change: TableChange) {
        if change.fate == .removed {
            hooks[change.table] = nil
            return
        }
        var chains = hooks[change.table] ?? []
        chains.subtract(change.goneChains)
        chains.formUnion(change.hooked.map(\.name))
        hooks[change.table] = chains.isEmpty ? nil : chains
    }
}
