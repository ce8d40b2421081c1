import NetTypes

extension MatrixReport: TextReport {
    /// A row for each caller, a column for each that is called; a host of many tenants gets several
    /// blocks of columns, each as wide as the terminal.
    public func text(_ form: TextForm) -> String {
        let parties = parties
        let states = Dictionary(
            cells.map { (PartyPair($0.source, $0.destination), $0.state) },
            uniquingKeysWith: { first, _ in first })
        let names = parties.enumerated().map { index, party in
            "\(index + 1) \(party.name)".printable.cut(to: Self.widestName)
        }
        let nameWidth = max(names.map(\.columns).max() ?? 0, 4)
        let columnWidth = "\(parties.count)".count + 1
        let room = max((form.width ?? .max) - nameWidth, columnWidth) / columnWidth
        var blocks: [String] = []
        for start in stride(from: 0, to: parties.count, by: room) {
            let columns = start..<min(start + room, parties.count)
            let head = columns.map { "\($0 + 1)".padded(to: columnWidth) }.joined()
            var lines = [form.styled("FROM".filled(to: nameWidth) + head, .heading)]
            for (name, source) in zip(names, parties) {
                let row = columns.map { index in
                    let state = states[PartyPair(source, parties[index])]
                    return String(repeating: " ", count: columnWidth - 1)
                        + form.styled(state.sign, state?.style)
                }
                lines.append(name.filled(to: nameWidth) + row.joined())
            }
            blocks.append(lines.map { $0 + "\n" }.joined())
        }
        return "generation \(generation), \(at)\n" + blocks.joined(separator: "\n")
            + "+ allowed by a rule, ! refused within the last minute, - refused before, . nothing\n"
    }

    private static let widestName = 24

    /// Tenants, then the host, the world and whoever else has a cell.
    private var parties: [PartyName] {
        let named = tenants.map { PartyName.tenant($0) } + [.host, .world]
        let others = Set(cells.flatMap { [$0.source, $0.destination] }).subtracting(named)
        return named + others.sorted()
    }

    /// A row for each pair that a rule speaks of or that tried.
    public var csv: CSV {
        var csv = CSV([
            "source", "destination", "state", "rules", "refused_packets", "refused_bytes",
            "refused_flows", "last_refused",
        ])
        for cell in cells {
            csv.append(
                [
                    cell.source.parameter, cell.destination.parameter, cell.state.rawValue,
                    "\(cell.rules)",
                ] + cell.refused.cells + [cell.lastRefused?.description])
        }
        return csv
    }
}

/// One source and one destination.
public struct PartyPair: Hashable, Sendable, Comparable {
    public let source: PartyName
    public let destination: PartyName

    public init(_ source: PartyName, _ destination: PartyName) {
        self.source = source
        self.destination = destination
    }

    public static func < (left: PartyPair, right: PartyPair) -> Bool {
        (left.source, left.destination) < (right.source, right.destination)
    }
}

extension MatrixCell.State {
    fileprivate var style: Style {
        switch self {
        case .allowed: .good
        case .refusedNow: .bad
        case .refusedBefore: .doubtful
        }
    }
}

extension MatrixCell.State? {
    fileprivate var sign: String {
        switch self {
        case .allowed: "+"
        case .refusedNow: "!"
        case .refusedBefore: "-"
        case nil: "."
        }
    }
}

extension String {
    /// With spaces in front.
    func padded(to width: Int) -> String {
        String(repeating: " ", count: Swift.max(0, width - columns)) + self
    }

    /// With spaces behind.
    func filled(to width: Int) -> String {
        self + String(repeating: " ", count: Swift.max(0, width - columns))
    }
}
