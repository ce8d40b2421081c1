internal import API
internal import ArgumentParser
internal import Glibc
internal import Reports

struct TopCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top",
        abstract: "Watch who is refused how often, and by want of which rule.",
        discussion: """
            A live table of the pairs of parties: packets admitted and refused in a second, \
            packets refused in all, the last reason and the closest rule. What a pair was admitted \
            is known where its rules speak of nobody else. Keys: q quits, s changes the order. \
            Where the output is no terminal, it is printed once.

            Example: ringfence top
            """)

    @OptionGroup var socket: SocketOptions
    @OptionGroup var output: OutputOptions
    @Option(
        help: "What comes first: refusedRate, admittedRate, refused, last or name.",
        transform: { try Reading.word($0, "order", of: TopReport.Order.self) })
    var sort = TopReport.Order.refusedRate

    func run() async throws {
        let first = try await answer { try await Taken(socket.client) }
        guard isatty(STDOUT_FILENO) == 1, output.output == .table else {
            try await Task.sleep(for: .seconds(1))
            let second = try await answer { try await Taken(socket.client) }
            return try output.show(second.report(after: first, sort))
        }
        try await TopScreen(client: socket.client, first: first, order: sort).run()
    }
}

/// A sample, and when it was there.
struct Taken: Sendable {
    let sample: TopSample
    let moment: ContinuousClock.Instant

    /// How many violations are looked through for the last reason of each pair.
    private static let violations = 1000

    init(_ client: APIClient) async throws {
        let rules = try await client.allRules().rules
        let violations = try await client.violations(ViolationsQuestion(limit: Self.violations))
        let matrix = try await client.matrix()
        moment = .now
        sample = TopSample(matrix, rules: rules, violations: violations.violations)
    }

    func report(after earlier: Taken?, _ order: TopReport.Order) -> TopReport {
        let span = earlier.map { moment - $0.moment } ?? .zero
        let seconds =
            Double(span.components.seconds) + Double(span.components.attoseconds) / 1e18
        return TopReport(sample, before: earlier?.sample, seconds: seconds, order: order)
    }
}
