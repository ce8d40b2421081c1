internal import ArgumentParser
internal import Policy
internal import Lab
internal import Policy
internal import Reports

struct LabProbeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "probe",
        abstract: "Try every way through a lab that is up, with real packets.",
        discussion: """
            Opens the lab's listeners in every namespace and calls each from every other. With \
            --policies, what is seen is held against what the files say; exits with 1 if they \
            differ anywhere.

            Example: ringfence lab probe lab/demo.yaml --policies policies/
            """)

    @Argument(help: "The lab's file.") var file: String

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("A directory of policy files, or one file.", valueName: "path"))
    var policies: String?

    @OptionGroup var output: OutputOptions

    func run() throws {
        let report = try telling {
            let topology = try LabTopology(readingFile: file)
            let lab = Lab(named: topology.name)
            let probe = try lab.probe(topology)
            let expectation = try policies.map { path in
                try LabExpectation(policies: try read(path), lab: lab, places: probe.places)
            }
            return LabProbeReport(try probe.matrix(), expectation)
        }
        try output.show(report)
        if !report.agrees { throw ExitCode(1) }
    }

    private func read(_ path: String) throws -> PolicyReading {
        let reading = PolicyReading(path: path, at: AgentCommand.now())
        if reading.policies != nil { return reading }
        complain(reading.diagnostics.map(\.description).joined(separator: "\n"))
        throw ExitCode(2)
    }
}
