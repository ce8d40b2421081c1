internal import ArgumentParser
internal import Glibc
internal import Linux
internal import NetTypes
internal import Reports
internal import Store

struct StoreExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Write history as JSON lines: one object a row, the oldest of each kind first.",
        discussion: """
            Each object tells under 'kind' what it is: violation, total, generation, drift or run.

            Example: ringfence store export --kind violation --since 2026-01-31 --file refused.jsonl
            """)

    @OptionGroup var state: StateOptions

    @Option(
        help: ArgumentHelp(
            "Leave out what ended before, such as 2026-01-31T09:00:00.000Z.", valueName: "time"),
        transform: moment)
    var since: Timestamp?

    @Option(
        help: ArgumentHelp("Leave out what began later.", valueName: "time"), transform: moment)
    var until: Timestamp?

    @Option(
        help: ArgumentHelp(
            "violation, total, generation, drift or run; may be given several times "
                + "(default: all).", valueName: "kind"), transform: Self.kind)
    var kind: [HistoryArchive.Kind] = []

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("Where to write (default: standard output).", valueName: "path"))
    var file: String?

    func run() throws {
        try answer(fromFile: {
            var lines = try Lines(to: file)
            for kind in kind.isEmpty ? HistoryArchive.Kind.allCases : kind {
                try state.archive.export(kind, since: since, until: until) { line in
                    try lines.append(line)
                }
            }
            try lines.finish()
        })
    }

    private static func kind(_ name: String) throws -> HistoryArchive.Kind {
        guard let kind = HistoryArchive.Kind(rawValue: name) else {
            throw ValidationError(
                "there is no kind '\(name)'\n  fix: write "
                    + HistoryArchive.Kind.allCases.map(\.rawValue).joined(separator: ", "))
        }
        return kind
    }
}

/// A moment of an option.
func moment(_ text: String) throws -> Timestamp {
    guard let moment = Timestamp(text) else {
        throw ValidationError(
            "'\(text)' is no time\n  fix: write a moment such as 2026-01-31T09:00:00.000Z")
    }
    return moment
}

/// Lines on their way to a file or to standard output, many in one system call.
private struct Lines: ~Copyable {
    /// Nil for standard output.
    private let file: Descriptor?
    private let output: CInt
    private let name: String
    private var waiting: [UInt8] = []

    init(to path: String?) throws {
        name = path ?? "standard output"
        guard let path else {
            file = nil
            output = STDOUT_FILENO
            return
        }
        let opened = Descriptor(
            owning: try check("open", on: path) {
                open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
            })
        output = opened.rawValue
        file = consume opened
    }

    mutating func append(_ line: [UInt8]) throws {
        waiting += line
        waiting.append(UInt8(ascii: "\n"))
        if waiting.count >= 1 << 16 { try finish() }
    }

    mutating func finish() throws {
        var rest = waiting[...]
        while !rest.isEmpty {
            let count = try check("write", on: name) {
                rest.withUnsafeBytes { write(output, $0.baseAddress, $0.count) }
            }
            rest = rest.dropFirst(count)
        }
        waiting.removeAll(keepingCapacity: true)
    }
}
