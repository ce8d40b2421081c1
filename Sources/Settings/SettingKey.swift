internal import Configuration

/// One thing that can be configured, by whatever way.
struct SettingKey: Hashable, Sendable {
    enum Form: Hashable, Sendable {
        case text
        case list
    }

    /// As the file has it, a level for each dot.
    let name: String
    /// The option of `ringfence agent`, without its dashes; nil where there is none.
    let flag: String?
    let form: Form
    /// What counts where nobody says anything; nil is nothing.
    let standard: SettingValue?

    init(_ name: String, flag: String? = nil, _ standard: String? = nil) {
        self.name = name
        self.flag = flag
        form = .text
        self.standard = standard.map { .text($0) }
    }

    init(_ name: String, flag: String? = nil, list standard: [String]) {
        self.name = name
        self.flag = flag
        form = .list
        self.standard = .list(standard)
    }

    var configKey: AbsoluteConfigKey {
        AbsoluteConfigKey(name.split(separator: ".").map(String.init))
    }

    /// The environment variable: `sinks.file.maxBytes` is RINGFENCE_SINKS_FILE_MAX_BYTES.
    var variable: String {
        var text = "RINGFENCE_"
        for character in name {
            if character == "." {
                text += "_"
            } else if character.isUppercase {
                text += "_" + String(character)
            } else {
                text += character.uppercased()
            }
        }
        return text
    }
}

/// A value as it was written.
enum SettingValue: Hashable, Sendable {
    case text(String)
    case list([String])
}

extension SettingValue: CustomStringConvertible {
    var description: String {
        switch self {
        case .text(let text): text
        case .list(let items): "[" + items.joined(separator: ", ") + "]"
        }
    }
}

extension SettingKey {
    static let policies = SettingKey("policies", flag: "policies", "/etc/ringfence/policies")
    static let namespaces = SettingKey("namespaces", flag: "namespaces", list: ["/run/netns"])
    static let pids = SettingKey("pids", flag: "pid", list: [])
    static let hostNamespace = SettingKey("hostNamespace", flag: "host-namespace")
    static let socket = SettingKey("socket", flag: "socket", "/run/ringfence/agent.sock")
    static let listen = SettingKey("listen", flag: "listen")
    static let state = SettingKey("state", flag: "state", "/var/lib/ringfence")
    static let hostFilter = SettingKey("hostFilter", flag: "host-filter", "off")
    static let hostFilterAttach = SettingKey(
        "hostFilterAttach", flag: "host-filter-attach", "auto")
    static let identityMask = SettingKey("identityMask", flag: "identity-mask", "0xffff0000")
    static let logLevel = SettingKey("logLevel", flag: "log-level", "info")

    static let filePath = SettingKey("sinks.file.path")
    static let fileMaxBytes = SettingKey("sinks.file.maxBytes", "64MiB")
    static let fileKeep = SettingKey("sinks.file.keep", "8")
    static let syslogAddress = SettingKey("sinks.syslog.address")
    static let syslogFacility = SettingKey("sinks.syslog.facility", "daemon")
    static let stdoutEnabled = SettingKey("sinks.stdout.enabled", "false")

    /// What every sink has: which events, how many may wait, how many a second.
    static func common(_ sink: String) -> (events: SettingKey, queue: SettingKey, rate: SettingKey)
    {
        (
            SettingKey(
                "sinks.\(sink).events", list: ["violation", "generation", "drift", "errors"]),
            SettingKey("sinks.\(sink).queue", "4096"), SettingKey("sinks.\(sink).rate", "1000")
        )
    }

    /// Every key, in the order in which they are told.
    static let all: [SettingKey] =
        [
            policies, namespaces, pids, hostNamespace, socket, listen, state, hostFilter,
            hostFilterAttach, identityMask, logLevel,
        ] + [stdoutEnabled] + keys(of: "stdout") + [filePath, fileMaxBytes, fileKeep]
        + keys(of: "file") + [syslogAddress, syslogFacility] + keys(of: "syslog")

    private static func keys(of sink: String) -> [SettingKey] {
        let common = common(sink)
        return [common.events, common.queue, common.rate]
    }
}
