internal import ArgumentParser
internal import NetTypes
internal import Policy
internal import Reports

struct ExplainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Say what policies decide about a flow, and by which rule.",
        discussion: """
            Reads files only. A party is a tenant, an address, 'world' or 'host'; labels of its \
            endpoint follow in the form tenant{app=web,tier=front}. Exits with 0 if the flow is \
            admitted, with 1 if it is refused, and with 2 if neither end is a tenant's and so nothing \
            was judged, or if the files can't be read.

            Example: ringfence explain --from shop --to db --protocol tcp --port 5432
            """)

    @OptionGroup var source: PolicyOptions
    @OptionGroup var output: OutputOptions
    @Option(help: "Who calls.") var from: String
    @Option(help: "Who is called.") var to: String
    @Option(name: .customLong("protocol"), help: "tcp, udp, sctp, icmp, icmpv6 or a number.")
    var ipProtocol = "tcp"
    @Option(help: "The port that is called.") var port: UInt16?
    @Option(help: ArgumentHelp("The ICMP message.", valueName: "type[/code]")) var icmp: String?

    func run() throws {
        let reading = source.read()
        guard let policies = reading.policies else {
            complain(reading.diagnostics.map(\.description).joined(separator: "\n"))
            throw ExitCode(2)
        }
        let report: ExplainReport
        do throws(ExplainError) {
            report = try policies.explain(
                from: party(from), to: party(to), ipProtocol: number, port: port,
                icmp: message)
        } catch {
            complain("\(error)")
            throw ExitCode(2)
        }
        try output.show(report)
        if !report.isAdmitted { throw ExitCode(report.isJudged ? 1 : 2) }
    }

    func validate() throws {
        let isNamed = IPProtocol.named.contains { $0.name == ipProtocol }
        guard isNamed || UInt8(ipProtocol) != nil else {
            throw ValidationError(
                "--protocol is '\(ipProtocol)'; write tcp, udp, sctp, icmp, icmpv6 or 0 to 255")
        }
        if icmp != nil, message == nil {
            throw ValidationError("--icmp is a type or a type and a code, such as 8 or 3/4")
        }
    }

    private var number: IPProtocol {
        IPProtocol.named.first { $0.name == ipProtocol }?.value
            ?? IPProtocol(rawValue: UInt8(ipProtocol) ?? 0)
    }

    private var message: ICMPMessage? {
        let parts = icmp?.split(separator: "/") ?? []
        guard let type = parts.first.flatMap({ UInt8($0) }), parts.count < 3 else { return nil }
        if parts.count == 1 { return ICMPMessage(type: type) }
        return UInt8(parts[1]).map { ICMPMessage(type: type, code: $0) }
    }

    private func party(_ text: String) -> Party {
        switch text {
        case "world": return .world
        case "host": return .host
        default: break
        }
        if let address = IPAddress(text) { return .address(address) }
        let parts = text.split(separator: "{", maxSplits: 1)
        guard parts.count == 2, parts[1].last == "}" else { return .tenant(text) }
        let pairs = parts[1].dropLast().split(separator: ",")
            .map { $0.split(separator: "=", maxSplits: 1) }
        let labels = pairs.reduce(into: Labels()) { labels, pair in
            labels[String(pair[0])] = pair.count == 2 ? String(pair[1]) : ""
        }
        return .tenant(String(parts[0]), labels: labels)
    }
}
