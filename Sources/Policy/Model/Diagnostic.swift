/// What is wrong in a policy file, where, and how to mend it.
public struct Diagnostic: Error, Hashable, Sendable, Codable {
    public let place: SourcePlace
    /// What was found and why it can't stand, in one sentence without a full stop.
    public let message: String
    /// What to write instead.
    public let fix: String

    public init(_ message: String, fix: String, at place: SourcePlace) {
        self.place = place
        self.message = message
        self.fix = fix
    }
}

extension Diagnostic: CustomStringConvertible {
    public var description: String { "\(place): \(message)\n  fix: \(fix)" }
}

/// Every mistake of one reading, in the order of the files.
public struct PolicyErrors: Error, Hashable, Sendable {
    public let diagnostics: [Diagnostic]

    public init(_ diagnostics: [Diagnostic]) {
        self.diagnostics = diagnostics.sorted { $0.place < $1.place }
    }
}

extension PolicyErrors: CustomStringConvertible {
    public var description: String {
        diagnostics.map(\.description).joined(separator: "\n")
    }
}
