internal import Compiler
internal import Linux
internal import Logging
internal import Policy
internal import Reports

extension Agent {
    /// Takes what the watch has seen.
    func policiesChanged() {
        let now = ContinuousClock.now
        savedAt = savedAt ?? now
        do {
            let changes = try watcher.drain()
            var written: [String] = []
            for (path, change) in changes.files {
                // A file that is saved again and again must not hold up others.
                let next = filePaces[path]?.next(now) ?? now
                if change == .written, next <= now {
                    unsettled[path] = nil
                    written.append(path)
                } else {
                    unsettled[path] = max(
                        next, change == .written ? now : now + DirectoryChanges.settlingTime)
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
        charge(paths, from: start)
    }

    /// Files pay with pauses for the time that their changes took.
    ///
    /// The first change after a while takes no more than the credit, however long it took: somebody who
    /// mends what was saved a moment ago, on a host where that takes a second, isn't kept waiting.
    private func charge(_ paths: [String], from start: ContinuousClock.Instant) {
        let now = ContinuousClock.now
        let share = (now - start) / paths.count
        for path in paths {
            var pace = filePaces[path] ?? Pace(factor: 4, credit: .seconds(1))
            let cost = pace.isPaid(start) ? min(share, .milliseconds(250)) : share
            pace.spend(from: now - cost, to: now)
            filePaces[path] = pace
        }
        if filePaces.count > 64 { filePaces = filePaces.filter { !$0.value.isPaid(now) } }
    }

    /// Looks at the whole directory; files that are not settled are left for later.
    func rescanPolicies() {
        let clock = ContinuousClock()
        let start = clock.now
        let before = snapshot
        var after = watcher.directory.snapshot(after: before)
        after.leave(unsettled.keys, asIn: before)
        var changes: [String: PolicyInputs.Content] = [:]
        snapshot = after
        tellIgnored(since: before)
        let paths = Set(before.files.keys).union(after.files.keys).union(before.problems.keys)
            .union(after.problems.keys).union(inputs.accepted.files.paths)
        for path in paths where unsettled[path] == nil {
            if after.files[path] == nil, after.problems[path] == nil {
                // A name may be gone for a moment only, while an editor or a copy replaces it.
                if inputs.accepted.files[path] != nil {
                    unsettled[path] = start + DirectoryChanges.settlingTime
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
        guard !changes.isEmpty else { return }
        let errors = inputs.errors
        let before = inputs.accepted
        let generation = ledger.generation
        var trial: Compilation.Trial?
        let changed = inputs.take(changes, at: clock()) { [compilation] next, paths in
            let found = compilation.trial(of: next, changed: paths)
            trial = found
            return found.refusals
        }
        tellEmptied(changed.keys, before: before)
        setAlarm()
        snapshot.forgetBytes(of: changes.keys)
        for (path, diagnostics) in inputs.errors where errors[path] != diagnostics {
            for diagnostic in diagnostics { logger.error("\(diagnostic)") }
            parseErrors += UInt64(diagnostics.count)
        }
        if inputs.errors != errors { tell(.errors(inputs.diagnostics.map(\.description))) }
        guard !changed.isEmpty else {
            savedAt = nil
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
        let kept = acceptedFiles.read()
        guard !kept.isEmpty else { return }
        noteFiles(inputs.take(kept.mapValues { .bytes($0) }, at: clock()))
        // They were in force before.
        fileChanges = []
        snapshot = watcher.directory.snapshot()
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

    /// Keeps what is in force for the next start, once the kernel has it.
    func keep(_ files: [String: [UInt8]?]) {
        guard isReady else { return unkept.merge(files) { $1 } }
        scribe.keep(files) { [logger] error in
            logger.error("what is in force can't be kept for the next start: \(error)")
        }
    }
}
