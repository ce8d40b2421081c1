import Verifier

extension ReachMatrix {
    /// The matrix as an inline SVG; nil where it would be too large to read.
    var picture: String? {
        guard !parties.isEmpty, parties.count <= Self.greatestCount else { return nil }
        let side = parties.count <= 40 ? 24 : 14
        let longest = parties.map(\.count).max() ?? 0
        let margin = min(240, 20 + 7 * longest)
        let (width, height) = (
            margin + side * parties.count + 10, margin + side * parties.count + 10
        )
        let index = Dictionary(
            parties.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
        let rows = parties.enumerated().map { number, party in
            let middle = margin + side * number + side / 2
            return "<text x=\"\(margin - 8)\" y=\"\(middle + 4)\" text-anchor=\"end\">"
                + "\(party.shortened.escaped)</text>\n<text transform=\"translate(\(middle + 4) "
                + "\(margin - 8)) rotate(-90)\">\(party.shortened.escaped)</text>\n"
        }
        let squares = cells.compactMap { cell -> String? in
            guard let row = index[cell.source], let column = index[cell.destination] else {
                return nil
            }
            return square(cell, x: margin + side * column, y: margin + side * row, side: side)
        }
        return """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(width) \(height)" \
            width="\(width)" height="\(height)" role="img" aria-label="Who can reach whom">
            \(rows.joined())\(squares.joined())</svg>

            """
    }

    private func square(_ cell: ReachCell, x: Int, y: Int, side: Int) -> String {
        let fill =
            switch cell.kernel {
            case .proven: cell.isOpen ? "#3b78b8" : "#eef1f4"
            case .notProven: cell.isOpen ? "#d9a441" : "#f6e7c8"
            case .violated: cell.isOpen ? "#b8323b" : "#f0c4c7"
            }
        let words =
            "\(cell.source) to \(cell.destination): "
            + (cell.isOpen ? cell.services.joined(separator: "; ") : "closed")
            + " (\(cell.kernel.title.lowercased()))"
        // A sign as well, for printers and eyes without colours.
        let sign =
            cell.kernel == .proven ? cell.isOpen ? "●" : "" : cell.kernel == .violated ? "!" : "?"
        let ink = cell.isOpen && cell.kernel != .notProven ? "#fff" : "#1c2127"
        return "<g><title>\(words.escaped)</title><rect x=\"\(x + 1)\" y=\"\(y + 1)\" "
            + "width=\"\(side - 2)\" height=\"\(side - 2)\" fill=\"\(fill)\"/>"
            + (sign.isEmpty
                ? ""
                : "<text x=\"\(x + side / 2)\" y=\"\(y + side / 2 + 4)\" text-anchor=\"middle\" "
                    + "style=\"fill:\(ink)\">\(sign)</text>") + "</g>\n"
    }
}

extension String {
    /// Not more than fits beside the picture.
    fileprivate var shortened: String { count <= 30 ? self : prefix(29) + "…" }
}
