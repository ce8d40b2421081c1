internal import ArgumentParser
internal import Reports
internal import Store

struct StorePruneCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "prune",
        abstract: "Take away the oldest history, for ever.",
        discussion: """
            For a size, the oldest violations go first. The agent may go on writing meanwhile.

            Example: ringfence store prune --older-than 30d --dry-run
            """)

    @OptionGroup var state: StateOptions

    @Option(
        help: ArgumentHelp(
            "Take away what ended longer ago: a number with s, m, h or d.", valueName: "age"),
        transform: Self.age)
    var olderThan: Duration?

    @Option(
        help: ArgumentHelp(
            "Take away the oldest until the file is no larger: a number with KiB, MiB or GiB.",
            valueName: "size"), transform: Self.size)
    var toSize: Int64?

    @Flag(help: "Only tell what would go.") var dryRun = false

    func validate() throws {
        guard olderThan == nil, toSize == nil else { return }
        throw ValidationError("nothing to do\n  fix: give --older-than, --to-size or both")
    }

    func run() throws {
        let cutoff = olderThan.map { AgentCommand.now().before($0) }
        let rows = try answer(fromFile: {
            dryRun
                ? try state.archive.prunable(olderThan: cutoff, to: toSize)
                : try state.archive.prune(olderThan: cutoff, to: toSize)
        })
        let isEstimate = dryRun && toSize != nil
        let verb = dryRun ? "would go" + (isEstimate ? ", about" : "") : "gone"
        if rows.values.allSatisfy({ $0 == 0 }) { return print("\(verb): nothing") }
        for (table, count) in rows.sorted(by: { $0.key < $1.key }) where count > 0 {
            print("\(verb): \(count) of \(table)")
        }
    }

    private static func age(_ text: String) throws -> Duration {
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
        guard let unit = text.last.flatMap({ units[$0] }), let count = UInt32(text.dropLast())
        else {
            throw ValidationError("'\(text)' is no age\n  fix: write one such as 30d or 12h")
        }
        return .seconds(Int64(count) * unit)
    }

    private static func size(_ text: String) throws -> Int64 {
        for (suffix, shift) in [("KiB", 10), ("MiB", 20), ("GiB", 30)] {
            if text.hasSuffix(suffix), let count = UInt32(text.dropLast(suffix.count)) {
                return Int64(count) << Int64(shift)
            }
        }
        throw ValidationError("'\(text)' is no size\n  fix: write one such as 100MiB")
    }
}
