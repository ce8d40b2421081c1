internal import Configuration
internal import Policy
public import Reports

/// All that is said about the configuration, and who has the last word: options, then the
/// environment, then the file, then what counts where nobody says anything.
public struct SettingsSources: Sendable {
    /// Where the file is looked for when nobody names one.
    public static let standardFile = "/etc/ringfence/agent.yaml"

    private let flags: any ConfigSnapshot
    private let environment: any ConfigSnapshot
    private let file: SettingsFile?
    private let standards: any ConfigSnapshot
    /// Variables that look as if they were meant for the agent, and aren't.
    public let warnings: [String]

    /// Reads the file.
    ///
    /// - Parameters:
    ///   - flags: What options say, by the option's name without its dashes.
    ///   - environment: Variables of the process; those that begin with RINGFENCE_ count.
    ///   - file: The file that an option names; nil is the standard one, if there is one.
    /// - Throws: `SettingsError` for a file that can't be read, or says what can't be said.
    public init(
        flags: [String: [String]], environment: [String: String], file: String? = nil
    ) throws(SettingsError) {
        let named = file ?? environment["RINGFENCE_CONFIG"]
        self.file = try SettingsFile(named ?? Self.standardFile, isRequired: named != nil)
        var values: [AbsoluteConfigKey: ConfigValue] = [:]
        for key in SettingKey.all {
            guard let flag = key.flag, let words = flags[flag], let last = words.last else {
                continue
            }
            values[key.configKey] = ConfigValue(
                key.form == .list ? .stringArray(words) : .string(last), isSecret: false)
        }
        self.flags = InMemoryProvider(name: "option", values: values).snapshot()
        // A variable that is set to nothing says nothing.
        let set = environment.filter { !$0.value.isEmpty }
        self.environment = EnvironmentVariablesProvider(environmentVariables: set)
            .prefixKeys(with: "ringfence").snapshot()
        var standards: [AbsoluteConfigKey: ConfigValue] = [:]
        for key in SettingKey.all {
            standards[key.configKey] = key.standard.map {
                ConfigValue($0.content, isSecret: false)
            }
        }
        self.standards = InMemoryProvider(name: "default", values: standards).snapshot()
        warnings = Self.strangers(in: environment)
    }

    /// What counts for a key, and who says so.
    func resolve(_ key: SettingKey) throws(SettingsError) -> Resolved {
        let places: [(any ConfigSnapshot, String)] = [
            (flags, "option --\(key.flag ?? "")"), (environment, "variable \(key.variable)"),
            (file?.snapshot ?? standards, file?.place(of: key.name) ?? "default"),
            (standards, "default"),
        ]
        for (snapshot, place) in places {
            if let value = try Self.value(of: key, in: snapshot, place) {
                return Resolved(key: key, value: value, place: place)
            }
        }
        return Resolved(key: key, value: nil, place: "default")
    }

    private static func value(
        of key: SettingKey, in snapshot: any ConfigSnapshot, _ place: String
    ) throws(SettingsError) -> SettingValue? {
        do {
            let type: ConfigType = key.form == .list ? .stringArray : .string
            switch try snapshot.value(forKey: key.configKey, type: type).value?.content {
            case .string(let text): return .text(text)
            case .stringArray(let items): return .list(items)
            default: return nil
            }
        } catch {
            throw SettingsError(
                key.form == .list ? "'\(key.name)' is a list" : "'\(key.name)' is one value",
                fix: key.form == .list ? "write \(key.name): [a, b]" : "write \(key.name): a",
                at: place)
        }
    }

    /// Some are somebody else's, so they are no errors.
    private static func strangers(in environment: [String: String]) -> [String] {
        let known = Set(SettingKey.all.map(\.variable))
            .union(["RINGFENCE_OPTIONS", "RINGFENCE_CONFIG"])
        return environment.keys.filter { $0.hasPrefix("RINGFENCE_") && !known.contains($0) }
            .sorted()
            .map { name in
                let fix = known.nearest(to: name).map { ": is \($0) meant?" } ?? ""
                return "the variable \(name) is none of the agent's\(fix)"
            }
    }
}

/// What counts for a key, and who says so.
struct Resolved: Hashable, Sendable {
    let key: SettingKey
    /// Nil where nobody says anything.
    let value: SettingValue?
    let place: String
}

extension SettingValue {
    fileprivate var content: ConfigContent {
        switch self {
        case .text(let text): .string(text)
        case .list(let items): .stringArray(items)
        }
    }
}

extension SettingsSources {
    /// Each value, and where it comes from.
    public func report() throws(SettingsError) -> ConfigurationReport {
        var values: [ConfigurationReport.Value] = []
        for key in SettingKey.all {
            let found = try resolve(key)
            values.append(
                .init(key: key.name, value: found.value?.description, source: found.place))
        }
        return ConfigurationReport(values: values)
    }
}
