internal import Reports

/// What a runtime is told when a plugin fails, with the codes that the specification fixes.
public struct CNIError: Error, Hashable, Sendable {
    public enum Code: Int, Hashable, Sendable {
        case incompatibleVersion = 1
        case unsupportedField = 2
        case invalidEnvironment = 4
        case decoding = 6
        case invalidConfiguration = 7
        case tryAgainLater = 11
        /// The plugin can't do an ADD now.
        case notAvailable = 50
        /// Of our own: the namespace is not enforced, and waiting doesn't help.
        case notEnforced = 100
    }

    public let code: Code
    public let message: String
    public let details: String

    init(_ code: Code, _ message: String, details: String) {
        self.code = code
        self.message = message
        self.details = details
    }

    /// The JSON that goes to standard output.
    func json(version: String) -> JSONValue {
        .object([
            "cniVersion": .text(version), "code": .integer(Int64(code.rawValue)),
            "msg": .text(message), "details": .text(details),
        ])
    }
}
