internal import AgentCore
internal import Linux
internal import Logging
internal import NetTypes
internal import Nftables
internal import Rules

/// Counts that leave the kernel, whatever happens to the agent meanwhile.
extension Agent {
    /// Keeps final counters, which no kernel holds any more.
    func carry(_ entry: Carried, of endpoint: NamespaceID? = nil) {
        guard !entry.isEmpty else { return }
        ledger.carry(entry)
        do throws(SystemError) {
            try journal.append(entry, of: endpoint)
        } catch {
            if ledgerError == nil { logger.error("counts can't be kept: \(error)") }
            ledgerError = "\(error)"
        }
        ledger.journalEntry = journal.last
        schedule.set(.save, noLaterThan: .now)
    }

    /// What the kernel answered to an agent that was killed before it could read it.
    func credit(_ leftovers: [Leftover], of id: NamespaceID) {
        for leftover in leftovers {
            unfinished[id, default: Journal.Unfinished()].going = []
            // It was written down already, but not yet taken from the socket.
            if unfinished[id]?.digests.contains(leftover.digest) == true { continue }
            let rules = RuleTable(leftover.rules.map { (mark: $0.key, rule: $0.value) })
            let carried = Carried(layer: .nftables, endpoint: nil, leftover.counts, of: rules)
            unfinished[id]?.carried.append(carried)
            // It is in no socket any more, and this agent may be killed before it is counted.
            journal.answered(carried, of: id, leftover.digest)
        }
    }

    /// Credits rules that went while the last agent was killed; the kernel says which did.
    func finishUnfinished() {
        // What is not taken over yet waits for it.
        let readable = unfinished.filter { refusedEntries[$0.key] == nil }
        for (id, change) in readable.sorted(by: { $0.key < $1.key }) {
            unfinished[id] = nil
            for entry in change.carried { carry(entry.named(endpointName(id)), of: id) }
            let left = holdings[id]?.state?.rules ?? RuleTable()
            var entry = Carried(layer: .nftables, endpoint: endpointName(id), [:], of: left)
            // A table that is damaged, or that another agent owns, still has them.
            let isReadable = holdings[id]?.state != nil || tenures[id] == nil
            for rule in change.going
            where isReadable && left[Mark(rawValue: rule.mark)] == nil {
                entry.rules[rule.rule, default: RuleCount()] += rule.count
            }
            carry(entry, of: id)
        }
    }
}

extension Carried {
    /// The same of an endpoint whose name is known now.
    fileprivate func named(_ name: EndpointName?) -> Carried {
        guard endpoint == nil, let name else { return self }
        return Carried(layer: layer, endpoint: name, rules: rules, refused: refused)
    }
}

/// What tells the journal of a change as it comes into force.
struct ChangeWitness: Sendable {
    let journal: Journal
    let endpoint: EndpointName?
    let id: NamespaceID
    let held: RuleTable
    /// Whether the socket outlasts the agent, with all that the kernel answers.
    let isSocketKept: Bool

    /// Writes down what can be known before rules go, and gives it.
    ///
    /// A rule that has to go never waits for this: what it counted is in the kernel's answer as well, and only
    /// an agent that is killed before it has read that needs it.
    func prepare(_ table: borrowing EndpointTable, _ changes: Changeset) -> [Journal.Going] {
        guard !isSocketKept, !changes.rules.removed.isEmpty,
            let counts = try? table.ruleCounts(goingWith: changes)
        else { return [] }
        let going = changes.rules.removed.compactMap { entry -> Journal.Going? in
            guard let rule = held[entry.mark], let count = counts[entry.mark] else { return nil }
            return Journal.Going(
                mark: entry.mark.rawValue,
                rule: Ledger.RuleKey(rule: rule.id, direction: rule.direction), count: count)
        }
        // What can't be written now can't be written afterwards either, and that is reported.
        try? journal.prepare(going, of: id)
        return going
    }

    /// Writes down what the kernel answered.
    func answered(_ retired: EndpointTable.Retired, _ digest: UInt64) {
        journal.answered(
            Carried(layer: .nftables, endpoint: endpoint, retired.rules, of: held), of: id, digest)
    }
}
