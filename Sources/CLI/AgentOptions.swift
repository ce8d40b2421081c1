internal import ArgumentParser
internal import Settings

/// What the agent can be told on its command line: the rest stands in variables or in a file.
struct AgentOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The configuration file (default: \(SettingsSources.standardFile), if it is there).",
            valueName: "file"))
    var config: String?

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp(
            "The directory of policy files (default: /etc/ringfence/policies).",
            valueName: "directory"))
    var policies: String?

    @Option(
        help: ArgumentHelp(
            "A folder of namespace mounts; may be given several times (default: /run/netns).",
            valueName: "folder"))
    var namespaces: [String] = []

    @Option(help: ArgumentHelp("A process whose namespace is looked at as well.", valueName: "pid"))
    var pid: [String] = []

    @Option(
        help: ArgumentHelp(
            "The mount of the namespace that holds the host ends of the veths (default: the agent's own).",
            valueName: "path"))
    var hostNamespace: String?

    @Option(
        help: ArgumentHelp(
            "The agent's Unix socket (default: /run/ringfence/agent.sock).", valueName: "path"))
    var socket: String?

    @Option(
        help: ArgumentHelp(
            "A loopback address to answer on as well, for reading only (default: none).",
            valueName: "address:port"))
    var listen: String?

    @Option(
        help: ArgumentHelp(
            "Where counts are kept over restarts (default: /var/lib/ringfence).",
            valueName: "directory"))
    var state: String?

    @Option(
        help: ArgumentHelp(
            "eBPF programs on the host ends of the veths: off, on, or only, with no tables inside (default: off).",
            valueName: "mode"))
    var hostFilter: String?

    @Option(
        help: ArgumentHelp(
            "How these come to the veths: auto, tcx (links), or clsact (filters) (default: auto).",
            valueName: "way"))
    var hostFilterAttach: String?

    @Option(
        help: ArgumentHelp(
            "The bits of a packet's mark in which the host filter tells who sent it (default: 0xffff0000).",
            valueName: "mask"))
    var identityMask: String?

    @Option(
        help: ArgumentHelp(
            "trace, debug, info, notice, warning, error or critical (default: info).",
            valueName: "level"))
    var logLevel: String?

    /// Everything that is said, by whatever way; prints what is wrong, and exits with 1.
    func sources(_ environment: [String: String]) throws -> SettingsSources {
        try Self.orExplain { () throws(SettingsError) in
            try SettingsSources(flags: flags, environment: environment, file: config)
        }
    }

    /// The same, checked.
    func settings(
        _ environment: [String: String]
    ) throws -> (settings: AgentSettings, warnings: [String]) {
        let sources = try sources(environment)
        return try Self.orExplain { () throws(SettingsError) in
            (try AgentSettings(sources), sources.warnings)
        }
    }

    static func orExplain<Outcome>(
        _ work: () throws(SettingsError) -> Outcome
    ) throws -> Outcome {
        do throws(SettingsError) {
            return try work()
        } catch {
            complain("\(error)")
            throw ExitCode.failure
        }
    }

    private var flags: [String: [String]] {
        let single = [
            "policies": policies, "host-namespace": hostNamespace, "socket": socket,
            "listen": listen, "state": state, "host-filter": hostFilter,
            "host-filter-attach": hostFilterAttach, "identity-mask": identityMask,
            "log-level": logLevel,
        ]
        var flags = single.compactMapValues { $0.map { [$0] } }
        if !namespaces.isEmpty { flags["namespaces"] = namespaces }
        if !pid.isEmpty { flags["pid"] = pid }
        return flags
    }
}
