internal import API
internal import ArgumentParser
internal import Reports

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show what is enforced, and what is wrong.",
        discussion: """
            The first line is the verdict. With --check, exits with 1 unless every endpoint is \
            enforced, every file is in force and nothing is in conflict; without an agent the \
            code is 1 too.

            Example: ringfence status --check
            """)

    @OptionGroup var socket: SocketOptions
    @OptionGroup var output: OutputOptions
    @Flag(help: "Exit with 1 if anything is not as it should be.") var check = false

    func run() async throws {
        let report = try await answer { try await socket.client.status() }
        try output.show(report)
        if check, !report.isInOrder { throw ExitCode(1) }
    }
}

struct CountersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "counters",
        abstract: "Show what passed by each rule, and what was refused between tenants.",
        discussion: """
            With --by, one table with the most on top. CSV is one table: by rule, if nothing \
            else is said.

            Example: ringfence counters --by pair
            """)

    @OptionGroup var socket: SocketOptions
    @OptionGroup var output: OutputOptions
    @Option(
        help: "Add up by rule, pair, tenant, endpoint or reason.",
        transform: { try Reading.word($0, "way to add up", of: CountersGrouping.self) })
    var by: CountersGrouping?

    func run() async throws {
        let report = try await answer { try await socket.client.counters() }
        if let by { return try output.show(report.grouped(by: by)) }
        try output.show(report)
    }
}

struct FlowsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "flows",
        abstract: "Show live flows, each with the rule that admitted it.",
        discussion: """
            A flow between two tenants shows once at each end.

            Example: ringfence flows --tenant shop --limit 20
            """)

    @OptionGroup var socket: SocketOptions
    @OptionGroup var output: OutputOptions
    @Option(help: "Only flows of this tenant's endpoints.") var tenant: String?
    @Option(help: "How many at most.", transform: Reading.limit) var limit = 1000

    func run() async throws {
        try output.show(
            try await answer {
                let report = try await socket.client.flows(
                    FlowsQuestion(tenant: tenant, limit: limit))
                if report.flows.isEmpty { try await socket.client.check(tenant: tenant) }
                return report
            })
    }
}

struct RulesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rules",
        abstract: "Show the rules in force, who owns them, and what passed by them.",
        discussion: """
            A party is a tenant, an address, 'world' or 'host'.

            Example: ringfence rules --source shop --destination db
            """)

    @OptionGroup var socket: SocketOptions
    @OptionGroup var output: OutputOptions
    @Option(
        help: ArgumentHelp("Only rules that let this party call.", valueName: "party"),
        transform: Reading.party)
    var source: PartyName?
    @Option(
        help: ArgumentHelp("Only rules that let this party be called.", valueName: "party"),
        transform: Reading.party)
    var destination: PartyName?
    @Option(help: "How many at most.") var limit: Int?

    func run() async throws {
        try output.show(
            try await answer {
                let report = try await socket.client.allRules(
                    source: source, destination: destination, limit: limit ?? .max)
                if report.rules.isEmpty {
                    try await socket.client.check(parties: source, destination)
                }
                return report
            })
    }

    func validate() throws {
        if let limit, limit < 1 { throw ValidationError("--limit is less than 1") }
    }
}

extension APIClient {
    /// Asks page by page.
    func allRules(
        source: PartyName? = nil, destination: PartyName? = nil, limit: Int = .max
    ) async throws -> RulesReport {
        var whole = RulesReport(rules: [])
        repeat {
            let page = try await rules(
                RulesQuestion(
                    source: source, destination: destination,
                    limit: min(limit - whole.rules.count, 10_000), cursor: whole.next))
            whole.rules += page.rules
            whole.next = page.next
        } while whole.next != nil && whole.rules.count < limit
        return whole
    }
}

struct MatrixCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "matrix",
        abstract: "Show who may talk to whom, and who tried.",
        discussion: "Example: ringfence matrix")

    @OptionGroup var socket: SocketOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        try output.show(try await answer { try await socket.client.matrix() })
    }
}

struct HistoryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history",
        abstract: "Show what changed and when: generations, lives of agents, drift.",
        discussion: "Example: ringfence history --limit 10")

    @OptionGroup var socket: SocketOptions
    @OptionGroup var output: OutputOptions
    @Option(help: "How many of each at most.", transform: Reading.limit) var limit = 20

    func run() async throws {
        try output.show(try await answer { try await socket.client.history(limit: limit) })
    }
}
