/// What is wrong with a configuration, where, and how to mend it.
public struct SettingsError: Error, Hashable, Sendable {
    /// A file with line and column, an environment variable, an option.
    public let place: String
    public let message: String
    public let fix: String

    init(_ message: String, fix: String, at place: String) {
        self.place = place
        self.message = message
        self.fix = fix
    }
}

extension SettingsError: CustomStringConvertible {
    public var description: String { "\(place): \(message)\n  fix: \(fix)" }
}
