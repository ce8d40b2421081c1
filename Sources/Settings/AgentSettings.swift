public import API
public import Agent
public import Logging
public import Sinks

/// Everything that an agent can be told, checked.
public struct AgentSettings: Sendable {
    public let configuration: AgentConfiguration
    public let socket: String
    public let listen: LoopbackAddress?
    public let logLevel: Logger.Level
    public let sinks: [SinkOptions]

    /// Checks every value; the error says who wrote a wrong one.
    public init(_ sources: SettingsSources) throws(SettingsError) {
        let reader = SettingsReader(sources)
        var configuration = AgentConfiguration(
            policies: try reader.path(.policies),
            namespaceFolders: try reader.list(.namespaces), pids: try reader.pids(),
            hostNamespace: try reader.text(.hostNamespace), stateDirectory: try reader.path(.state))
        configuration.hostFilter = try reader.choice(.hostFilter, HostFilterMode.self)
        configuration.hostFilterAttachment = try reader.choice(
            .hostFilterAttach, HostFilterAttachment.self)
        configuration.identityMask = try reader.mask(.identityMask)
        self.configuration = configuration
        socket = try reader.path(.socket)
        listen = try reader.parsed(
            .listen, "is no port of the loopback interface",
            fix: "write 127.0.0.1:9464 or [::1]:9464"
        ) { LoopbackAddress(parsing: $0) }
        logLevel = try reader.choice(.logLevel, Logger.Level.self)
        sinks = try reader.sinks()
    }
}
