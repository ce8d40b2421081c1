/// Rows of text in aligned columns, for people.
public struct Table: Hashable, Sendable {
    public enum Alignment: Hashable, Sendable {
        case left
        /// For numbers.
        case right
    }

    /// How long a column is spared where the terminal is too narrow.
    public enum Importance: Int, Hashable, Sendable, CaseIterable {
        case low
        case normal
        case high
    }

    /// A column's title and how its text is laid out.
    public struct Column: Hashable, Sendable {
        public let title: String
        public let alignment: Alignment
        let importance: Importance
        /// What is cut off: a place loses its folders and keeps its line.
        let cut: String.Side

        public init(_ title: String, _ alignment: Alignment = .left) {
            self.init(title, alignment, importance: alignment == .right ? .high : .normal)
        }

        init(
            _ title: String, _ alignment: Alignment = .left, importance: Importance,
            cut: String.Side = .end
        ) {
            self.title = title
            self.alignment = alignment
            self.importance = importance
            self.cut = cut
        }

        /// A file and a line.
        static let place = Column("PLACE", importance: .low, cut: .start)
    }

    /// A text, and how it stands out.
    public struct Cell: Hashable, Sendable {
        let text: String
        let style: Style?

        public init(_ text: String, _ style: Style? = nil) {
            self.text = text.printable
            self.style = style
        }
    }

    public let columns: [Column]
    private(set) var cells: [[Cell]] = []

    /// The texts, as they are shown where there is room.
    public var rows: [[String]] { cells.map { $0.map(\.text) } }

    private static let gap = "  "
    /// No column is cut to less: two characters and the sign that something is missing.
    private static let narrowest = 3
    /// No column of text is cut to less as long as others can give way.
    private static let readable = 8

    public init(_ columns: Column...) { self.columns = columns }

    public init(_ columns: [Column]) { self.columns = columns }

    /// Adds a row; cells that are missing at its end are empty, and what is too much is left out.
    public mutating func append(_ row: [String]) { append(row.map { Cell($0) }) }

    /// Adds a row with styles.
    public mutating func append(_ row: [Cell]) {
        let padding = Array(repeating: Cell(""), count: Swift.max(0, columns.count - row.count))
        cells.append(Array((row + padding).prefix(columns.count)))
    }

    /// The lines with a line feed after each, cut to a width where the terminal has one.
    ///
    /// Unimportant columns give way first, of equal ones the widest; `…` stands for what was cut.
    public func text(width: Int? = nil) -> String { text(TextForm(width: width)) }

    /// The lines with a line feed after each, for a reader.
    public func text(_ form: TextForm) -> String {
        lines(form).map { $0 + "\n" }.joined()
    }

    /// The title's line, and a line for each row.
    func lines(_ form: TextForm) -> [String] {
        let lines = [columns.map { Cell($0.title, .heading) }] + cells
        let widths = fit(
            columns.indices.map { index in lines.map { $0[index].text.columns }.max() ?? 0 },
            into: form.width)
        return lines.map { line($0, widths, form) }
    }

    private func line(_ cells: [Cell], _ widths: [Int], _ form: TextForm) -> String {
        let last = cells.lastIndex { !$0.text.isEmpty } ?? -1
        return columns.indices.prefix(last + 1).map { index in
            let text = cells[index].text.cut(to: widths[index], at: columns[index].cut)
            let space = String(repeating: " ", count: Swift.max(0, widths[index] - text.columns))
            let shown = form.styled(text, cells[index].style)
            if columns[index].alignment == .right { return space + shown }
            return index == last ? shown : shown + space
        }.joined(separator: Self.gap)
    }

    private func fit(_ natural: [Int], into width: Int?) -> [Int] {
        guard let width else { return natural }
        var widths = natural
        var excess = widths.reduce(0, +) + Self.gap.count * (widths.count - 1) - width
        for isLastResort in [false, true] {
            for importance in Importance.allCases {
                let columns = self.columns.indices.filter {
                    self.columns[$0].importance == importance
                }
                while excess > 0, let widest = columns.max(by: { widths[$0] < widths[$1] }),
                    let index = columns.first(where: { widths[$0] == widths[widest] }),
                    widths[index] > floor(of: index, isLastResort)
                {
                    widths[index] -= 1
                    excess -= 1
                }
            }
        }
        return widths
    }

    private func floor(of index: Int, _ isLastResort: Bool) -> Int {
        if isLastResort { return Self.narrowest }
        return columns[index].alignment == .right ? .max : Self.readable
    }
}
