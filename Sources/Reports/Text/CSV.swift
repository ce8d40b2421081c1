/// One table for programs and spreadsheets, as RFC 4180 defines it: a header row, lines that end
/// with CR and LF, fields in quotes where they need it.
///
/// A text that a spreadsheet would take for a formula gets an apostrophe in front, which
/// spreadsheets take for "this is text". Controls are escaped as in tables.
public struct CSV: Hashable, Sendable {
    public let header: [String]
    public private(set) var rows: [[String?]] = []

    public init(_ header: [String]) { self.header = header }

    /// Adds a row; nil is an empty field.
    public mutating func append(_ row: [String?]) { rows.append(row) }

    /// Every line with its end.
    public var text: String { headerLine + rows.map(Self.line).joined() }

    /// The first line with its end.
    public var headerLine: String { Self.line(header) }

    /// A row with its end.
    public static func line(_ row: [String?]) -> String {
        row.map { field($0 ?? "") }.joined(separator: ",") + "\r\n"
    }

    // Scalars, not characters: a combining mark behind a quote must not hide it.
    private static func field(_ text: String) -> String {
        let scalars = defused(text.printable).unicodeScalars
        guard scalars.contains(where: { $0 == "," || $0 == "\"" }) else { return String(scalars) }
        let doubled = scalars.flatMap { $0 == "\"" ? [$0, $0] : [$0] }
        return "\"" + String(String.UnicodeScalarView(doubled)) + "\""
    }

    /// The characters with which spreadsheets begin a formula, full-width ones as well.
    private static let formulaStarts: Set<Unicode.Scalar> = [
        "=", "+", "-", "@", "＝", "＋", "－", "＠",
    ]

    private static func defused(_ text: String) -> String {
        guard let first = text.unicodeScalars.first, formulaStarts.contains(first) else {
            return text
        }
        return "'" + text
    }
}
