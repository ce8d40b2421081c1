internal import ArgumentParser
internal import Compiler
internal import NetTypes
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
        var errors = reading.diagnostics + (reading.policies?.oversized() ?? [])
        if reading.fileCount == 0, errors.isEmpty {
            errors = [Self.nothingFound(at: source.policies)]
        }
        try output.show(
            LintReport(
                files: reading.fileCount, rules: reading.policies?.ruleCount ?? 0,
                expired: reading.policies?.expired ?? [], warnings: reading.warnings,
                errors: errors))
        if !errors.isEmpty { throw ExitCode(1) }
    }

    /// A check of a wrong path must not pass for ever.
    private static func nothingFound(at path: String) -> Diagnostic {
        Diagnostic(
            "no policy file was found there", fix: "name a directory that holds files *.yaml",
            at: SourcePlace(file: path, line: 1, column: 1))
    }
}

/// A policy whose time is over.
private struct ExpiredPolicy: Encodable {
    let policy: String
    let expires: Timestamp
    let place: SourcePlace
}

/// What lint found.
private struct LintReport: TextReport, Encodable {
    let files: Int
    let rules: Int
    /// Policies that open nothing any more, which is no mistake.
    let expired: [ExpiredPolicy]
    /// What is no mistake, and may be meant otherwise.
    let warnings: [Diagnostic]
    let errors: [Diagnostic]

    func text(_ form: TextForm) -> String {
        let read = "\(files) file\(files == 1 ? "" : "s")"
        let warnings = warnings.map {
            "\($0.place): warning: \($0.message)\n  fix: \($0.fix)\n"
        }
        return warnings.joined() + text(of: read)
    }

    private func text(of read: String) -> String {
        if errors.isEmpty {
            let notes = expired.map {
                "\($0.place): '\($0.policy)' expired at \($0.expires) and opens nothing\n"
            }
            return notes.joined()
                + "\(read), \(rules) rule\(rules == 1 ? "" : "s"): no mistakes\n"
        }
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
    /// In the order of their places.
    fileprivate var expired: [ExpiredPolicy] {
        files.inOrder.flatMap(\.documents).compactMap { document in
            guard case .policy(let header, _, let place) = document, header.hasExpired,
                let expires = header.expires
            else { return nil }
            return ExpiredPolicy(policy: header.name, expires: expires, place: place)
        }
    }

    var ruleCount: Int { files.values.reduce(0) { $0 + $1.rules.count } }
}
