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
    func resolved() -> AgentConfiguration {
        var flags: [String: [String]] = [:]
        if !given.isEmpty { flags["namespaces"] = given }
        if !pid.isEmpty { flags["pid"] = pid.map { "\($0)" } }
        if let hostNamespace { flags["host-namespace"] = [hostNamespace] }
        do throws(SettingsError) {
            return try AgentSettings(
                SettingsSources(flags: flags, environment: ProcessInfo.processInfo.environment)
            ).configuration
        } catch {
            // Whoever has to get out of something is not to mend another thing first.
            complain(
                "\(error)\n  so only options count here, and what holds where nobody says anything")
            return AgentConfiguration(
                policies: "/etc/ringfence/policies",
                namespaceFolders: given.isEmpty ? ["/run/netns"] : given, pids: pid,
                hostNamespace: hostNamespace, stateDirectory: "/var/lib/ringfence")
        }
    }
}
