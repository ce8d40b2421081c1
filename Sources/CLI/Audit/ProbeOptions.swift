internal import ArgumentParser

/// Which real packets an audit sends.
struct ProbeOptions: ParsableArguments {
    @Flag(help: "Send real packets from inside the namespaces, and compare.") var probe = false
    @Option(help: ArgumentHelp("How many packets at most.", valueName: "count")) var probes = 200
    @Option(help: ArgumentHelp("How many packets a second at most.", valueName: "count"))
    var probeRate = 50
    @Option(
        help: ArgumentHelp("Makes the same choice of packets again.", valueName: "number"))
    var seed: UInt64?
    @Option(help: ArgumentHelp("Only from endpoints of this tenant.", valueName: "tenant"))
    var probeFrom: String?
    @Option(help: ArgumentHelp("Only to endpoints of this tenant.", valueName: "tenant"))
    var probeTo: String?

    func validate() throws {
        guard (1...100_000).contains(probes), (1...10_000).contains(probeRate) else {
            throw ValidationError("--probes is 1 to 100000, and --probe-rate 1 to 10000")
        }
    }
}
