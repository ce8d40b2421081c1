import FoundationEssentials

/// Reports as JSON: keys sorted, so that the same report is the same bytes.
public enum ReportJSON {
    /// One line without a line feed.
    public static func line(_ report: some Encodable) throws -> [UInt8] {
        try encode(report, [.sortedKeys, .withoutEscapingSlashes])
    }

    /// Many lines for people, with a line feed at the end.
    public static func text(_ report: some Encodable) throws -> String {
        let bytes = try encode(report, [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted])
        return String(decoding: bytes, as: UTF8.self) + "\n"
    }

    /// Reads what the others wrote.
    public static func read<Report: Decodable>(
        _ type: Report.Type, from bytes: [UInt8]
    ) throws -> Report {
        try JSONDecoder().decode(type, from: Data(bytes))
    }

    private static func encode(
        _ report: some Encodable, _ format: JSONEncoder.OutputFormatting
    ) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = format
        return [UInt8](try encoder.encode(report))
    }
}
