internal import API
internal import Agent
internal import ArgumentParser
internal import Audit
internal import Evidence
internal import Linux
internal import NetTypes
internal import Policy
internal import Reports
internal import Store
internal import Verifier

struct AuditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Prove that the kernel holds what the policies say, and leave evidence.",
        discussion: """
            Works with or without a running agent: reads back every endpoint's tables, and programs and \
            maps of the host filter where it is in use, holds them against the policy files, checks the assertions, and writes reports. Each audit is a \
            record in a chain (audits.jsonl in the state directory) that 'ringfence verify' checks.

            Exits with 0 if all is proven, with 1 if something is violated, with 2 if something \
            can't be proven, with 3 if the audit could not run.

            Examples:
              ringfence audit
              ringfence audit --report audit.html --report audit.json
              ringfence audit --report results.oscal.json --report checks.xml --report lint.sarif
              ringfence audit --probe --probes 500 --seed 7
              ringfence audit --key /etc/ringfence/audit.key
              ringfence audit --at 2026-01-31T09:00:00Z
            """,
        subcommands: [AuditKeygenCommand.self, AuditControlsCommand.self])

    @OptionGroup var source: PolicyOptions
    @OptionGroup var namespaces: NamespaceOptions
    @Option(
        help: ArgumentHelp(
            "What to expect of the host filter: auto proves it where it is there (default: what the "
                + "agent says, else auto).", valueName: "auto|off|on|only"),
        transform: { text in
            guard let use = HostFilterUse(rawValue: text) else {
                throw ValidationError("it is auto, off, on or only")
            }
            return use
        })
    var hostFilter: HostFilterUse?
    @Option(
        help: ArgumentHelp("Where the BPF file system is mounted.", valueName: "folder"))
    var bpfFileSystem = "/sys/fs/bpf"
    @OptionGroup var socket: SocketOptions
    @OptionGroup var state: StateOptions
    @Option(
        help: ArgumentHelp(
            "Write evidence, by the file's ending: .html, .json, .csv, .oscal.json, .xml (JUnit) "
                + "or .sarif; may be given several times.", valueName: "file"))
    var report: [String] = []
    @Option(
        help: ArgumentHelp(
            "Which checks are evidence for which controls; see 'ringfence audit controls'.",
            valueName: "file"))
    var controls: String?
    @Option(help: ArgumentHelp("Sign the record with this Ed25519 key, in PEM.", valueName: "file"))
    var key: String?
    @Flag(help: "Add no record to the chain.") var noRecord = false
    @Option(
        help: ArgumentHelp("How many days of violations and drift to show.", valueName: "days"))
    var days = 30
    @Option(
        help: ArgumentHelp(
            "Don't audit: tell what was in force at a moment.", valueName: "time"),
        transform: Reading.moment)
    var at: Timestamp?
    @OptionGroup var probing: ProbeOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        for path in report where ReportForm(fileName: path) == nil {
            throw ValidationError(
                "no report can be written to '\(path)'\n  fix: let it end in "
                    + ReportForm.allCases.map { ".\($0.rawValue)" }.joined(separator: ", "))
        }
        guard (0...36_500).contains(days) else {
            throw ValidationError("--days is 0 to 36500")
        }
    }

    func run() async throws {
        if let at { return try output.show(try orCouldNotRun { try moment(at) }) }
        let counters = try? await socket.client.counters()
        let said = try? await socket.client.status().agent.hostFilter
        let use = hostFilter ?? said.flatMap { HostFilterUse(saidBy: $0) } ?? .auto
        let audited = try orCouldNotRun { try audit(counters, use) }
        try output.show(audited)
        if audited.outcome != .proven { throw ExitCode(audited.outcome.exitCode) }
    }

    private func audit(
        _ counters: CountersReport?, _ hostFilter: HostFilterUse
    ) throws -> AuditReport {
        let started = AgentCommand.now()
        let mapping = try ControlMapping.read(controls)
        let signingKey = try key.map { try KeyFile.signing($0) }
        let reading = source.read()
        guard let policies = reading.policies else {
            throw AuditTrouble(reading.diagnostics.map(\.description).joined(separator: "\n"))
        }
        let progress = Progress()
        let (survey, kernel) = try look(policies, hostFilter, progress)
        let probes =
            probing.probe
            ? ProbeRound(policies: policies, survey: survey, options: probing)
                .result(seed: probing.seed ?? .random(in: 1...999_999_999), progress) : nil
        let facts = AuditFacts(
            policies: policies, reading: reading, source: source.policies, survey: survey,
            kernel: kernel, probes: probes, counters: counters, mapping: mapping,
            started: started,
            history: try AuditHistory(
                in: state.archive,
                since: Timestamp(milliseconds: started.milliseconds - Int64(days) * 86_400_000),
                until: AgentCommand.now()))
        return try evidence(facts, signingKey)
    }

    /// Looks at the namespaces and at what the kernel holds of them; again where something is wrong and a namespace, a
    /// link or an address is another than it was, since it may be that.
    private func look(
        _ policies: PolicySet, _ hostFilter: HostFilterUse, _ progress: Progress
    ) throws -> (Survey, AuditResult) {
        let places = namespaces.resolved()
        func survey() throws -> Survey {
            try Survey(
                policies, folders: places.namespaceFolders, pids: places.pids,
                hostNamespace: places.hostNamespace)
        }
        var found = try survey()
        var attempt = 1
        while true {
            let result = KernelAudit(
                policies: policies, survey: found, hostFilter: hostFilter,
                bpfFileSystem: bpfFileSystem
            ).result(progress)
            guard attempt < Self.attempts, result.outcome != .proven else { return (found, result) }
            let after = try survey()
            guard after.host.namespaces != found.host.namespaces else { return (found, result) }
            found = after
            attempt += 1
        }
    }

    /// How often a host is looked at that changes meanwhile.
    private static let attempts = 4

    /// Writes the reports and the record; the reports know their place in the chain, and the
    /// record their hashes.
    private func evidence(_ facts: AuditFacts, _ key: SigningKey?) throws -> AuditReport {
        var audit = facts.report(finished: AgentCommand.now())
        guard !noRecord else {
            _ = try write(audit)
            return audit
        }
        _ = try AuditTrail(directory: state.state).append(key: key) { place in
            audit.record = place
            return AuditRecord(audit, at: place, reports: try write(audit))
        }
        return audit
    }

    private func write(_ audit: AuditReport) throws -> [AuditRecord.File] {
        try report.map { path in
            guard let form = ReportForm(fileName: path) else {
                throw AuditTrouble("no report can be written to '\(path)'")
            }
            let bytes = Array(try audit.text(form).utf8)
            try replaceFile(at: path, with: bytes, mode: 0o644)
            let name = path.split(separator: "/").last.map(String.init) ?? path
            return AuditRecord.File(name: name, content: bytes)
        }
    }

    private func moment(_ at: Timestamp) throws -> MomentReport {
        let history = try AuditHistory(in: state.archive, since: at, until: at)
        let records = try AuditTrail(directory: state.state).records()
        guard let report = MomentReport(at: at, history.generations, records) else {
            throw AuditTrouble(
                "nothing is kept of what was in force at \(at)\n  fix: give the --state of the"
                    + " agent, and a time since its first start")
        }
        return report
    }
}

extension HostFilterUse {
    /// What an agent says that it does; where it does nothing, another may have left something.
    fileprivate init?(saidBy agent: AgentStatus.HostFilter) {
        switch agent {
        case .off: return nil
        case .on: self = .on
        case .only: self = .only
        }
    }
}
