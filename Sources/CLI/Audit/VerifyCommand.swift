internal import ArgumentParser
internal import Evidence
internal import Reports

struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Check a chain of audits, without the machine that made it.",
        discussion: """
            Finds records that were changed, removed, added or moved. Whether records are missing at \
            the end tells only the hash of the last one, if somebody kept it (--head). Exits with 0 \
            if all is intact, with 1 if not, with 3 if a file can't be read.

            Example: ringfence verify audits.jsonl --public-key audit.key.pub --report audit.html
            """)

    @Argument(help: ArgumentHelp("The chain.", valueName: "file")) var file: String
    @Option(
        help: ArgumentHelp(
            "The key that has to have signed every record, in PEM.", valueName: "path"))
    var publicKey: String?
    @Option(
        help: ArgumentHelp("The hash that the last record has to have.", valueName: "hash"))
    var head: String?
    @Option(
        help: ArgumentHelp(
            "A report that has to be in the chain as it is; may be given several times.",
            valueName: "path"))
    var report: [String] = []
    @OptionGroup var output: OutputOptions

    func run() throws {
        let chain = try orCouldNotRun {
            let files = try report.map { path in
                AuditRecord.File(
                    name: path.split(separator: "/").last.map(String.init) ?? path,
                    content: try readFile(path))
            }
            return ChainReport(
                try readFile(file), key: try publicKey.map { try KeyFile.verifying($0) },
                head: head?.lowercased(), files: files)
        }
        try output.show(chain)
        if !chain.isSound { throw ExitCode(1) }
    }
}
