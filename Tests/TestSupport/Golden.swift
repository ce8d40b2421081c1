public import Foundation

/// A text that is kept next to the tests and reviewed like code.
public struct Golden: Sendable {
    private let file: URL

    public init(_ file: URL) { self.file = file }

    /// The first line in which a text is another one, in words; nil when they are equal.
    ///
    /// With `UPDATE_GOLDEN=1` the text is kept instead.
    public func difference(from text: String) throws -> String? {
        if ProcessInfo.processInfo.environment["UPDATE_GOLDEN"] == "1" {
            try Data(text.utf8).write(to: file)
            return nil
        }
        guard let kept = try? String(contentsOf: file, encoding: .utf8) else {
            return "\(file.lastPathComponent) is missing; UPDATE_GOLDEN=1 writes it"
        }
        if kept == text { return nil }
        let wanted = kept.split(separator: "\n", omittingEmptySubsequences: false)
        let found = text.split(separator: "\n", omittingEmptySubsequences: false)
        let line =
            zip(wanted, found).enumerated().first { $1.0 != $1.1 }?.offset
            ?? min(wanted.count, found.count)
        return """
            \(file.lastPathComponent):\(line + 1)
              kept:  \(line < wanted.count ? wanted[line] : "(the end)")
              found: \(line < found.count ? found[line] : "(the end)")
            """
    }
}
