internal import AgentCore
internal import Compiler
internal import Linux
internal import NetTypes
internal import Policy

/// Policy files whose reading and compiling takes long: that is done beside the loop.
struct LargeFiles: Sendable {
    /// What the files say.
    var readings: [String: PolicyInputs.Reading]
    /// What they held when they were read.
    var digests: [String: UInt64?]
    let readTime: Duration
    /// How often they were compiled, and the result was not used because something else had changed.
    var attempts = 0

    /// How often they are compiled beside the loop.
    ///
    /// After that they are compiled on it, since other changes that never end would delay them without end.
    static let mostAttempts = 3

    /// What a trial started from; it is worth something while this is as it was.
    struct Basis: Hashable, Sendable {
        let inputs: UInt64
        let compilations: UInt64
    }
}

extension Agent {
    /// Reads files beside the loop, tries there what they lead to, and takes them.
    func takeBesideLoop(_ changes: [String: PolicyInputs.Content], readTime: Duration) {
        let digests = Dictionary(changes.keys.map { ($0, snapshot.files[$0]?.digest) }) { $1 }
        compiler.start {
            PolicyInputs.read(changes)
        } done: { [weak self] readings in
            guard let self else { return }
            let files = LargeFiles(readings: readings, digests: digests, readTime: readTime)
            Task { await self.tryLarge(files) }
        }
    }

    /// Goes on with what waited for the end of a compilation.
    func takeWaiting() {
        let files = waitingFiles
        waitingFiles = []
        for files in files { tryLarge(files) }
    }

    private var basis: LargeFiles.Basis {
        LargeFiles.Basis(inputs: inputs.revision, compilations: compilationCount)
    }

    /// Tries beside the loop what files lead to, those left out that changed once more meanwhile.
    private func tryLarge(_ files: LargeFiles) {
        guard !isStopping else { return }
        var files = files
        let digests = files.digests
        files.readings = files.readings.filter {
            snapshot.files[$0.key]?.digest == digests[$0.key] ?? nil
        }
        guard !files.readings.isEmpty else { return }
        // A file that changed once more is read again by itself, and no reason to begin again here.
        files.digests = files.digests.filter { files.readings[$0.key] != nil }
        guard files.attempts < LargeFiles.mostAttempts else {
            return take(files.readings, readTime: files.readTime)
        }
        guard !compileQueue.isBusy else { return waitingFiles.append(files) }
        let (input, basis, inputs, compilation) = (files, basis, inputs, compilation)
        let moment = clock()
        compiler.start {
            inputs.trials(of: input.readings, at: moment, from: compilation)
        } done: { [weak self] trials in
            guard let self else { return }
            Task { await self.takeLarge(input, trials, from: basis) }
        }
    }

    private func takeLarge(
        _ files: LargeFiles, _ trials: [Set<String>: Compilation.Trial],
        from basis: LargeFiles.Basis
    ) {
        guard !isStopping else { return }
        let isCurrent = files.digests.allSatisfy { snapshot.files[$0.key]?.digest == $0.value }
        guard isCurrent, basis == self.basis, !compileQueue.isBusy else {
            var next = files
            next.attempts += 1
            return tryLarge(next)
        }
        take(files.readings, readTime: files.readTime, tried: trials)
    }
}

extension PolicyInputs {
    /// What changes of files lead to, as they would be tried when the files are taken.
    ///
    /// - Parameters:
    ///   - readings: What the files say, by path.
    ///   - moment: When it is.
    ///   - compilation: What is compiled.
    /// - Returns: By the files that change at a time.
    fileprivate func trials(
        of readings: [String: Reading], at moment: Timestamp, from compilation: Compilation
    ) -> [Set<String>: Compilation.Trial] {
        var copy = self
        var trials: [Set<String>: Compilation.Trial] = [:]
        _ = copy.take(read: readings, at: moment) { next, paths in
            guard next.tenants == compilation.policies.tenants else { return [:] }
            let trial = compilation.trial(of: next, changed: paths)
            trials[paths] = trial
            return trial.refusals
        }
        return trials
    }
}
