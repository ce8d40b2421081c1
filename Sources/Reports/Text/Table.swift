/// Rows of text in aligned columns, for people.
public struct Table: Hashable, Sendable {
    public enum Alignment: Hashable, Sendable {
        case left
        /// For numbers.
        case right
    }

    /// A column's title and the side that its text keeps to.
    public struct Column: Hashable, Sendable {
        public let title: String
        public let alignment: Alignment

        public init(_ title: String, _ alignment: Alignment = .left) {
            self.title = title
            self.alignment = alignment
        }
    }

    public let columns: [Column]
    public private(set) var rows: [[String]] = []

    private static let gap = "  "
    /// No column is cut to less: two characters and the sign that something is missing.
    private static let narrowest = 3

    public init(_ columns: Column...) { self.columns = columns }

    public init(_ columns: [Column]) { self.columns = columns }

    /// Adds a row; cells that are missing at its end are empty, and what is too much is left out.
    public mutating func append(_ cells: [String]) {
        let padding = Array(repeating: "", count: Swift.max(0, columns.count - cells.count))
        rows.append((cells + padding).prefix(columns.count).map(\.printable))
    }

    /// The lines with a line feed after each, cut to a width where the terminal has one.
    ///
    /// The widest columns give way first, and what was cut off shows as `…`.
    public func text(width: Int? = nil) -> String {
        let lines = [columns.map(\.title)] + rows
        let widths = Self.fit(
            columns.indices.map { index in lines.map { $0[index].count }.max() ?? 0 },
            into: width)
        return lines.map { line($0, widths) + "\n" }.joined()
    }

    private func line(_ cells: [String], _ widths: [Int]) -> String {
        let padded = columns.indices.map { index in
            Self.pad(cells[index], to: widths[index], columns[index].alignment)
        }
        let line = padded.joined(separator: Self.gap)
        return String(
            line[..<(line.lastIndex { $0 != " " }.map(line.index(after:)) ?? line.startIndex)])
    }

    private static func pad(_ cell: String, to width: Int, _ alignment: Alignment) -> String {
        guard cell.count <= width else { return cell.prefix(width - 1) + "…" }
        let space = String(repeating: " ", count: width - cell.count)
        return alignment == .left ? cell + space : space + cell
    }

    private static func fit(_ natural: [Int], into width: Int?) -> [Int] {
        guard let width else { return natural }
        var widths = natural
        var excess = widths.reduce(0, +) + gap.count * (widths.count - 1) - width
        while excess > 0, let widest = widths.max(), widest > narrowest,
            let index = widths.firstIndex(of: widest)
        {
            widths[index] -= 1
            excess -= 1
        }
        return widths
    }
}
