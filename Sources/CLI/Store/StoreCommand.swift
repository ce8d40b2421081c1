internal import ArgumentParser
internal import Reports
internal import Store

struct StoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store",
        abstract: "Look at the kept history, take it elsewhere, or make it smaller.",
        discussion: """
            The commands work on the file, whether an agent is running or not.

            Example: ringfence store info
            """,
        subcommands: [StoreInfoCommand.self, StoreExportCommand.self, StorePruneCommand.self])
}

/// Where history is kept.
struct StateOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The agent's state directory.", valueName: "directory"))
    var state = "/var/lib/ringfence"

    var archive: HistoryArchive { HistoryArchive(directory: state) }
}

/// Works with the file; an error is printed as it is, and exits with 1.
func answer<Result>(fromFile work: () throws -> Result) throws -> Result {
    do {
        return try work()
    } catch let error as StoreError {
        complain("\(error)")
        throw ExitCode(1)
    }
}

struct StoreInfoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "info",
        abstract: "Show where history is kept, how much there is, and whether the file is sound.",
        discussion: """
            Reads the whole file. Exits with 1 if it is damaged.

            Example: ringfence store info --output json
            """)

    @OptionGroup var state: StateOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        let info = try answer(fromFile: { try state.archive.info() })
        try output.show(info)
        if !info.damage.isEmpty { throw ExitCode(1) }
    }
}
