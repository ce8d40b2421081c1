internal import API
internal import ArgumentParser
internal import NetTypes
internal import Reports

struct ViolationsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "violations",
        abstract: "Show each refused flow, why, and the rule that comes closest.",
        discussion: """
            Times are in UTC, or say how long ago: 45s, 10m, 2h, 1d, 1w. The time of the last \
            packet is known to the second.

            Example: ringfence violations --since 10m --tenant shop
            """)

    @OptionGroup var socket: SocketOptions
    @OptionGroup var output: OutputOptions
    @Flag(name: .shortAndLong, help: "Go on with new ones as they come.") var follow = false

    @Option(
        help: ArgumentHelp("Leave out what ended before.", valueName: "time"),
        transform: Reading.moment)
    var since: Timestamp?

    @Option(
        help: ArgumentHelp("Leave out what began later.", valueName: "time"),
        transform: Reading.moment)
    var until: Timestamp?

    @Option(help: "Only those with this tenant at either end.") var tenant: String?

    @Option(
        help: "Only those that were refused for this reason, such as noRule or spoofed.",
        transform: Reading.reason)
    var reason: RefusalReason?

    @Option(
        help: "The latest so many; with --follow, end after so many.", transform: Reading.limit)
    var limit: Int?

    func run() async throws {
        var question = ViolationsQuestion(
            since: since, until: until, tenant: tenant, reason: reason)
        if follow { return try await follow(question) }
        question.limit = limit
        let asked = question
        try output.show(
            try await answer {
                let report = try await socket.client.violations(asked)
                if report.violations.isEmpty { try await socket.client.check(tenant: tenant) }
                return report
            })
    }

    func validate() throws {
        if follow, until != nil {
            throw ValidationError("--until has no meaning with --follow\n  fix: leave one out")
        }
        if let since, let until, until < since {
            throw ValidationError("--until is before --since: nothing lies between")
        }
    }

    private func follow(_ question: ViolationsQuestion) async throws {
        struct Enough: Error {}
        if output.output == .csv { print(Violation.csv.headerLine, terminator: "") }
        flushOutput()
        var shown = 0
        do {
            try await answer {
                try await socket.client.check(tenant: tenant)
                try await socket.client.followViolations(question) { streamed in
                    try show(streamed)
                    if case .violation = streamed { shown += 1 }
                    if shown == limit { throw Enough() }
                }
            }
        } catch is Enough {}
    }

    private func show(_ streamed: StreamedViolation) throws {
        switch streamed {
        case .violation(let violation):
            switch output.output {
            case .table: print(violation.line)
            case .json: print(String(decoding: try ReportJSON.line(violation), as: UTF8.self))
            case .csv: print(CSV.line(violation.csvRow), terminator: "")
            }
        case .lost(let count):
            complain("\(count) violations came faster than they could be shown")
        }
        flushOutput()
    }
}
