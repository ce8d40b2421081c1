internal import AgentCore
internal import Linux
internal import Logging
internal import NetTypes
internal import Policy
internal import Reports

extension Agent {
    /// A policy may have expired, or the clock was set.
    func timeMoved() {
        alarm.clear()
        followTime()
        setAlarm()
    }

    /// Waits for the next moment at which a policy expires; while any file depends on the time, for the
    /// clock to be set as well.
    func setAlarm() {
        do throws(SystemError) {
            guard inputs.dependsOnTime else { return try alarm.set(milliseconds: nil) }
            let next = inputs.nextExpiry(after: clock())
            try alarm.set(milliseconds: next?.milliseconds ?? Alarm.farthest)
        } catch {
            // What has expired is found at the next change or start.
            logger.error("no alarm for the policy that expires next: \(error)")
        }
    }

    /// Brings into force what the time has changed about the policies.
    func followTime() {
        let before = inputs.accepted
        let generation = ledger.generation
        let changed = inputs.follow(clock())
        guard !changed.isEmpty else { return }
        for path in changed.sorted() {
            let (old, new) = (before.files[path], inputs.accepted.files[path])
            let hasExpired = (new?.rules.count ?? 0) < (old?.rules.count ?? 0)
            logger.notice(
                hasExpired
                    ? "\(path): a policy has expired"
                    : "\(path): the clock went back, a policy is in force again"
            )
            pending.note(FileChange(file: path, kind: hasExpired ? .expired : .changed))
            retiredRules.note(old, new, last: generation)
        }
        guard isReady else { return }
        follow(changed, readTime: .zero)
    }
}
