/// Where something was written: a file and a position that editors understand.
public struct SourcePlace: Hashable, Sendable, Codable, Comparable {
    /// The path as the user would type it.
    public let file: String
    /// Counted from 1.
    public let line: Int
    /// Counted from 1, in characters.
    public let column: Int

    public init(file: String, line: Int, column: Int) {
        self.file = file
        self.line = line
        self.column = column
    }

    public static func < (left: SourcePlace, right: SourcePlace) -> Bool {
        (left.file, left.line, left.column) < (right.file, right.line, right.column)
    }
}

extension SourcePlace: CustomStringConvertible {
    public var description: String { "\(file):\(line):\(column)" }
}
