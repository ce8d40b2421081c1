internal import ArgumentParser
internal import Linux
internal import NetTypes
internal import Policy

/// Where policy files are read from, for the commands that need no agent.
struct PolicyOptions: ParsableArguments {
    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("A directory of policy files, or one file.", valueName: "path"))
    var policies = "/etc/ringfence/policies"

    /// Reads and checks every file.
    func read() -> PolicyReading { PolicyReading(path: policies, at: AgentCommand.now()) }
}

/// The files under a path, and everything that is wrong with them.
struct PolicyReading {
    /// Nil when anything is wrong.
    let policies: PolicySet?
    let diagnostics: [Diagnostic]
    /// What is no mistake, and may be meant otherwise.
    let warnings: [Diagnostic]
    let fileCount: Int
    /// What was read, by path.
    let bytes: [String: [UInt8]]

    /// - Parameters:
    ///   - path: A directory, or one file.
    ///   - now: When it is; policies that have expired by then open nothing.
    init(path: String, at now: Timestamp) {
        let directory = PolicyDirectory(path)
        var snapshot = PolicyDirectory.Snapshot()
        directory.refresh(path, in: &snapshot)
        if snapshot.files.isEmpty { snapshot = directory.snapshot() }
        var diagnostics = snapshot.problems.map { path, problem in
            Diagnostic(
                problem.message, fix: problem.fix,
                at: SourcePlace(file: path, line: 1, column: 1))
        }
        var files: [PolicyFile] = []
        for (path, file) in snapshot.files {
            do throws(PolicyErrors) {
                files.append(try PolicyFile(parsing: file.bytes, path: path).at(now))
            } catch {
                diagnostics += error.diagnostics
            }
        }
        var policies: PolicySet?
        do throws(PolicyErrors) {
            policies = try PolicySet(checking: files)
        } catch {
            diagnostics += error.diagnostics
        }
        warnings =
            snapshot.ignored.map(Diagnostic.ignoredFile)
            + (policies?.warnings(includesExpired: false) ?? [])
        self.policies = diagnostics.isEmpty ? policies : nil
        self.diagnostics = diagnostics.sorted { $0.place < $1.place }
        fileCount = snapshot.files.count
        bytes = snapshot.files.mapValues(\.bytes)
    }
}
