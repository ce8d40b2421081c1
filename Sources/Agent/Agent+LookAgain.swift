internal import AgentCore
internal import Linux
internal import Logging
internal import NetTypes

/// What could not be looked at is looked at again, soon at first.
extension Agent {
    static let leastPause = Duration.milliseconds(50)
    static let greatestPause = Duration.seconds(5)

    /// Looks again after a pause; each is twice as long as the one before.
    func planToLookAgain() {
        guard schedule[.lookAgain] == nil else { return }
        schedule.set(.lookAgain, at: .now + lookAgainPause)
        lookAgainPause = min(lookAgainPause * 2, Self.greatestPause)
    }

    /// The time has come.
    func lookAgain() {
        var isOther = false
        if snapshot.isToBeReadAgain { rescanPolicies() }
        if !refusedEntries.isEmpty || !toldDoubts.isEmpty { isOther = refreshNamespaces() }
        for id in unreadInterfaces where tenures[id] == nil { unreadInterfaces.remove(id) }
        for id in unreadInterfaces { isOther = refreshInterfaces(of: id) || isOther }
        if isOther { rebuild() }
        if schedule[.lookAgain] == nil { lookAgainPause = Self.leastPause }
    }

    /// How long a namespace outlives the process whose link in `/proc` it was found by.
    static let linksPause = Duration.seconds(1)

    /// Plans to see whether links to namespaces still lead to them: the agent's own descriptor would keep a namespace
    /// whose process has ended.
    func planToCheckLinks() {
        schedule.set(
            .links, at: source.links.isEmpty ? nil : schedule[.links] ?? .now + Self.linksPause)
    }

    /// The time has come.
    func checkLinks() {
        if source.linksHaveChanged(), refreshNamespaces() { rebuild() }
        planToCheckLinks()
    }

    /// Says once what could not be looked at.
    func tellDoubts() {
        let doubts = source.doubts.mapValues(\.description)
        for (subject, reason) in doubts where toldDoubts[subject] != reason {
            logger.warning("\(subject) can't be looked at and is taken to be as it was: \(reason)")
        }
        toldDoubts = doubts
        if !doubts.isEmpty { planToLookAgain() }
    }
}
