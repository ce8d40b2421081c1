internal import API
internal import ArgumentParser
internal import NetTypes
internal import Reports

struct DriftCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drift",
        abstract: "Show what others changed in the kernel, who it was, and whether it is repaired.",
        discussion: """
            Times are in UTC, or say how long ago: 45s, 10m, 2h, 1d, 1w. What happens again and \
            again stands in one line for each hour, with how often. The user is unknown where \
            the process was gone before it could be looked at.

            Example: ringfence drift --since 1d --tenant shop
            """)

    @OptionGroup var socket: SocketOptions
    @OptionGroup var output: OutputOptions
    @Flag(name: .shortAndLong, help: "Go on with new drift as it comes.") var follow = false

    @Option(
        help: ArgumentHelp("Leave out what went on before only.", valueName: "time"),
        transform: Reading.moment)
    var since: Timestamp?

    @Option(help: "Only drift at this tenant's endpoints.") var tenant: String?

    @Option(
        help: "The latest so many; with --follow, end after so many.", transform: Reading.limit)
    var limit: Int?

    func run() async throws {
        var question = DriftQuestion(since: since, tenant: tenant)
        if follow { return try await follow(question) }
        question.limit = limit ?? question.limit
        let asked = question
        try output.show(
            try await answer {
                let report = try await socket.client.drift(asked)
                if report.drift.isEmpty { try await socket.client.check(tenant: tenant) }
                return report
            })
    }

    private func follow(_ question: DriftQuestion) async throws {
        struct Enough: Error {}
        if output.output == .csv { print(DriftRecord.csv.headerLine, terminator: "") }
        flushOutput()
        var shown = 0
        do {
            try await answer {
                try await socket.client.check(tenant: tenant)
                try await socket.client.followDrift(question) { streamed in
                    try show(streamed)
                    if case .drift = streamed { shown += 1 }
                    if shown == limit { throw Enough() }
                }
            }
        } catch is Enough {}
    }

    private func show(_ streamed: StreamedDrift) throws {
        switch streamed {
        case .drift(let record):
            switch output.output {
            case .table: print(record.line)
            case .json: print(String(decoding: try ReportJSON.line(record), as: UTF8.self))
            case .csv: print(CSV.line(record.csvRow), terminator: "")
            }
        case .lost(let count):
            complain("\(count) records came faster than they could be shown")
        }
        flushOutput()
    }
}
