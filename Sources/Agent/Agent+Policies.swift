internal import AgentCore
internal import Compiler
internal import Linux
internal import Logging
internal import Policy
internal import Reports

extension Agent {
    /// Takes what the watch has seen.
    func policiesChanged() {
        let now = ContinuousClock.now
        pending.noteSaved(at: now)
        do {
            let changes = try watcher.drain()
            var written: [String] = []
            for (path, change) in changes.files {
                if change != .written {
                    fileQueue.changed(path, at: now, settlingIn: DirectoryChanges.settlingTime)
                } else if fileQueue.written(path, at: now) {
                    written.append(path)
                }
            }
            if changes.needsRescan { rescanPolicies() } else { readFiles(written) }
        } catch {
            logger.error("watch of \(configuration.policies): \(error)")
            do { try watcher.restart() } catch { logger.error("\(error)") }
            rescanPolicies()
        }
    }

    /// Reads files again and brings what they say into force.
    func readFiles(_ paths: [String]) {
        guard !paths.isEmpty else { return }
        let clock = ContinuousClock()
        let start = clock.now
        var changes: [String: PolicyInputs.Content] = [:]
        for path in paths {
            let before = snapshot.files[path]?.digest
            watcher.directory.refresh(path, in: &snapshot)
            if snapshot.files[path]?.digest != before || before == nil {
                changes[path] = content(at: path)
            }
        }
        waitForEmptied(&changes, start)
        take(changes, readTime: clock.now - start)
        fileQueue.charge(paths, from: start, to: clock.now)
    }

    /// Looks at the directory where a mount may have put another one in its place: no watch tells of that.
    func lookForDirectory() {
        guard watcher.directory.identity != directoryIdentity else { return }
        logger.warning(
            "policy directory was replaced", metadata: ["directory": "\(configuration.policies)"])
        do { try watcher.restart() } catch { logger.error("\(error)") }
        rescanPolicies()
    }

    /// Looks at the whole directory; files that are not settled are left for later.
    func rescanPolicies() {
        let clock = ContinuousClock()
        let start = clock.now
        directoryIdentity = watcher.directory.identity
        let before = snapshot
        var after = watcher.directory.snapshot(after: before)
        after.leave(fileQueue.waiting, asIn: before)
        var changes: [String: PolicyInputs.Content] = [:]
        snapshot = after
        tellIgnored(since: before)
        let paths = Set(before.files.keys).union(after.files.keys).union(before.problems.keys)
            .union(after.problems.keys).union(inputs.accepted.files.paths)
        for path in paths where !fileQueue.isWaiting(path) {
            if after.files[path] == nil, after.problems[path] == nil {
                // A name may be gone for a moment only, while an editor or a copy replaces it.
                if inputs.accepted.files[path] != nil {
                    fileQueue.postpone(path, until: start + DirectoryChanges.settlingTime)
                }
                changes[path] = inputs.accepted.files[path] == nil ? .absent : nil
            } else if before.files[path]?.digest != after.files[path]?.digest
                || before.problems[path] != after.problems[path]
            {
                changes[path] = content(at: path)
            }
        }
        waitForEmptied(&changes, start)
        take(changes, readTime: clock.now - start)
    }

    /// The changes that are believed: a directory that turns empty is no order to revoke everything.
    private func followed(
        _ changes: [String: PolicyInputs.Content]
    ) -> [String: PolicyInputs.Content] {
        let wasLost = sight.lostSince != nil
        // What is absent and was never in force only ends its error.
        let absent = changes.filter {
            if case .absent = $0.value { inputs.accepted.files[$0.key] != nil } else { false }
        }
        let hasOthers = changes.contains { if case .absent = $0.value { false } else { true } }
        guard wasLost || !absent.isEmpty else { return changes }
        let present = hasOthers || watcher.directory.holdsFiles ? 1 : 0
        guard
            sight.believes(
                inForce: inputs.accepted.files.count, present: present, at: clock())
        else {
            if !wasLost { tellLostDirectory() }
            return changes.filter { absent[$0.key] == nil }
        }
        // What was not followed while the directory was empty is looked at once more, a moment later: files that come
        // back come one after the other.
        if wasLost {
            let due = ContinuousClock.now + DirectoryChanges.settlingTime
            for path in inputs.accepted.files.paths where changes[path] == nil {
                fileQueue.plan(path, at: due)
            }
        }
        return changes
    }

    private func tellLostDirectory() {
        logger.critical(
            "policy directory holds no file any more; the last good state stays in force",
            metadata: ["directory": "\(configuration.policies)"])
        tell(.errors((inputs.diagnostics + [lostDirectory].compactMap(\.self)).map(\.description)))
    }

    /// Why the policy directory is not followed; nil while it is.
    var lostDirectory: Diagnostic? {
        sight.lostSince.map { moment in
            Diagnostic(
                "the policy directory holds no policy file since \(moment); the last good state "
                    + "(\(inputs.accepted.files.count) files) stays in force",
                fix: "put the files back, or revoke everything by 'ringfence confirm-empty'",
                at: SourcePlace(file: configuration.policies, line: 1, column: 1))
        }
    }

    /// Takes an operator's word that the empty policy directory is meant.
    ///
    /// - Throws: `EnforcementProblem` where there is nothing to confirm.
    public func confirmEmptyDirectory() throws {
        guard sight.confirm() else {
            throw EnforcementProblem(
                .conflict, "the policy directory is followed: there is nothing to confirm",
                fix: "see 'ringfence status'")
        }
        logger.notice("empty policy directory confirmed; every rule ends")
        rescanPolicies()
        let absent = inputs.accepted.files.paths.map { ($0, PolicyInputs.Content.absent) }
        take(Dictionary(absent) { $1 }, readTime: .zero)
        if absent.isEmpty {
            // Nothing is known of what an earlier agent was told, and all of it ends.
            _ = sight.believes(inForce: 0, present: 0, at: clock())
            rebuild()
        }
    }

    private func content(at path: String) -> PolicyInputs.Content {
        if let file = snapshot.files[path] { return .bytes(file.bytes) }
        guard let problem = snapshot.problems[path] else { return .absent }
        return .unreadable(problem.message, fix: problem.fix)
    }

    /// Takes changed files; a directory that is gone is no order to revoke everything.
    private func take(_ changes: [String: PolicyInputs.Content], readTime: Duration) {
        var changes = changes
        if snapshot.isToBeReadAgain { planToLookAgain() }
        if snapshot.problems[watcher.directory.path] != nil {
            changes = changes.filter { if case .absent = $0.value { false } else { true } }
        }
        changes = followed(changes)
        guard !changes.isEmpty else { return }
        if isReady, changes.values.contains(where: { $0.byteCount > Self.mostBytesOnLoop }) {
            takeBesideLoop(changes, readTime: readTime)
        } else {
            take(PolicyInputs.read(changes), readTime: readTime)
        }
    }

    /// Files of this size are read and compiled in a few milliseconds; larger ones beside the loop.
    private static let mostBytesOnLoop = 128 << 10

    /// Takes what files say.
    ///
    /// - Parameters:
    ///   - readings: What they say, by path.
    ///   - readTime: How long they took to read.
    ///   - trials: What changes of some files lead to where that was tried already, from what is in force and compiled now.
    func take(
        _ readings: [String: PolicyInputs.Reading], readTime: Duration,
        tried trials: [Set<String>: Compilation.Trial] = [:]
    ) {
        guard !readings.isEmpty else { return }
        let errors = inputs.errors
        let before = inputs.accepted
        let generation = ledger.generation
        var trial: Compilation.Trial?
        let changed = inputs.take(read: readings, at: clock()) { [compilation] next, paths in
            // A change of tenants compiles everything, which is done beside the loop.
            guard isReady, next.tenants == compilation.policies.tenants else { return [:] }
            let found = trials[paths] ?? compilation.trial(of: next, changed: paths)
            trial = found
            return found.refusals
        }
        tellEmptied(changed.keys, before: before)
        setAlarm()
        snapshot.forgetBytes(of: readings.keys)
        for (path, diagnostics) in inputs.errors where errors[path] != diagnostics {
            for diagnostic in diagnostics { logger.error("\(diagnostic)") }
            metrics.parseErrors += UInt64(diagnostics.count)
        }
        if inputs.errors != errors { tell(.errors(inputs.diagnostics.map(\.description))) }
        guard !changed.isEmpty else {
            pending.forgetSaved()
            return
        }
        noteFiles(changed)
        defer {
            keep(changed)
            for path in changed.keys {
                retiredRules.note(
                    before.files[path], inputs.accepted.files[path], last: generation)
            }
        }
        guard isReady else { return }
        if inputs.accepted.tenants == before.tenants {
            follow(Set(changed.keys), readTime: readTime, trial: trial)
        } else {
            refreshNamespaces()
            rebuild()
        }
    }

    /// Takes what was in force when the last agent stopped, so that what lies in the directory now
    /// is a change to it, as it would have been had that agent gone on.
    func takeKeptPolicies() {
        let (kept, replaced) = readKept()
        guard !kept.isEmpty else { return }
        let taken = inputs.take(kept.mapValues { .bytes($0) }, at: clock())
        noteFiles(taken)
        keep(taken.filter { replaced.contains($0.key) })
        // They were in force before.
        pending.forgetChanges()
        var changes: [String: PolicyInputs.Content] = [:]
        let paths = Set(snapshot.files.keys).union(snapshot.problems.keys).union(kept.keys)
        for path in paths where snapshot.files[path]?.bytes != kept[path] || kept[path] == nil {
            changes[path] = content(at: path)
        }
        for diagnostics in inputs.errors where changes[diagnostics.key] == nil {
            for diagnostic in diagnostics.value { logger.error("\(diagnostic)") }
        }
        take(changes, readTime: .zero)
        snapshot.forgetBytes()
    }

    /// What is kept, and of files whose copy is damaged what they say now: others may need it.
    private func readKept() -> (files: [String: [UInt8]], replaced: Set<String>) {
        let kept: AcceptedFiles.Kept
        do throws(SystemError) {
            kept = try acceptedFiles.read()
        } catch {
            logger.error("what was in force can't be read: \(error)")
            return ([:], [])
        }
        guard !kept.files.isEmpty || !kept.damaged.isEmpty else { return ([:], []) }
        snapshot = watcher.directory.snapshot()
        var files = kept.files
        for (path, damage) in kept.damaged {
            guard let present = snapshot.files[path]?.bytes else {
                // A copy of a file that is gone is nothing to be missed.
                if snapshot.problems[path] != nil { noteDamage(damage, of: path) }
                continue
            }
            noteDamage(damage, of: path)
            files[path] = present
        }
        return (files, Set(kept.damaged.keys))
    }

    /// Tells of kept state that was damaged.
    ///
    /// - Parameters:
    ///   - damage: What was found, and what follows.
    ///   - path: The policy file that it is a copy of.
    func noteDamage(_ damage: Diagnostic, of path: String? = nil) {
        logger.error("\(damage)")
        damagedState.append((damage, path))
    }

    /// Kept state that was damaged, as long as something is missing because of it.
    var damages: [Diagnostic] {
        damagedState.filter { _, path in
            guard let path else { return true }
            return inputs.accepted.files[path] == nil || inputs.errors[path] != nil
        }
        .map(\.damage)
    }

    /// Keeps what is in force for the next start, once the kernel has it.
    func keep(_ files: [String: [UInt8]?]) {
        guard isReady else { return unkept.merge(files) { $1 } }
        scribe.keep(files) { [logger] error in
            logger.error("what is in force can't be kept for the next start: \(error)")
        }
    }
}
