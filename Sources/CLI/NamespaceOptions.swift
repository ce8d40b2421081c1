internal import Agent
internal import ArgumentParser
internal import Foundation
internal import Settings

/// Where namespaces are looked for.
struct NamespaceOptions: ParsableArguments {
    @Option(
        name: .customLong("namespaces"),
        help: ArgumentHelp(
            "A folder of namespace mounts; may be given several times (default: the agent's).",
            valueName: "folder"))
    var given: [String] = []

    @Option(help: ArgumentHelp("A process whose namespace is looked at as well.", valueName: "pid"))
    var pid: [Int32] = []

    @Option(
        help: ArgumentHelp(
            "The mount of the namespace that holds the host ends of the veths (default: the agent's).",
            valueName: "path"))
    var hostNamespace: String?

    /// Where an agent would look that is told no more than this by options.
    func resolved() throws -> AgentConfiguration {
        var flags: [String: [String]] = [:]
        if !given.isEmpty { flags["namespaces"] = given }
        if !pid.isEmpty { flags["pid"] = pid.map { "\($0)" } }
        if let hostNamespace { flags["host-namespace"] = [hostNamespace] }
        return try AgentOptions.orExplain { () throws(SettingsError) in
            try AgentSettings(
                SettingsSources(flags: flags, environment: ProcessInfo.processInfo.environment)
            ).configuration
        }
    }
}
