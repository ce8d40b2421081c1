internal import ArgumentParser
internal import Policy
internal import Reports

struct LintCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lint",
        abstract: "Check policy files without an agent.",
        discussion: """
            Prints every mistake with its place and its mend; exits with 1 if there is any.

            Example: ringfence lint --policies policies/
            """)

    @OptionGroup var source: PolicyOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        let reading = source.read()
        try output.show(
            LintReport(
                files: reading.fileCount, rules: reading.policies?.ruleCount ?? 0,
                errors: reading.diagnostics))
        if !reading.diagnostics.isEmpty { throw ExitCode(1) }
    }
}

/// What lint found.
private struct LintReport: TextReport, Encodable {
    let files: Int
    let rules: Int
    let errors: [Diagnostic]

    func text(_ form: TextForm) -> String {
        let read = "\(files) file\(files == 1 ? "" : "s")"
        if errors.isEmpty { return "\(read), \(rules) rule\(rules == 1 ? "" : "s"): no mistakes\n" }
        let lines = errors.map(\.description).joined(separator: "\n")
        return "\(lines)\n\n\(errors.count) mistake\(errors.count == 1 ? "" : "s") in \(read)\n"
    }

    /// A row for each mistake.
    var csv: CSV {
        var csv = CSV(["file", "line", "column", "message", "fix"])
        for error in errors {
            csv.append([
                error.place.file, "\(error.place.line)", "\(error.place.column)", error.message,
                error.fix,
            ])
        }
        return csv
    }
}

extension PolicySet {
    var ruleCount: Int { files.values.reduce(0) { $0 + $1.rules.count } }
}
