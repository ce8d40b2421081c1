extension CountersTable: TextReport {
    public func text(_ form: TextForm) -> String {
        var table = Table(titles.map(column) + tallyColumns)
        for row in rows { table.append(row.names + tallies(of: row)) }
        let start = since.map { "counted since \($0)\n" } ?? ""
        return start + section("counters by \(grouping.rawValue)", table, form, none: "nothing")
            + (hasRefused ? notRecorded.notRecordedText : "")
    }

    /// A row for each row.
    public var csv: CSV {
        var csv = CSV(titles + tallyTitles.map { $0.lowercased().replacing(" ", with: "_") })
        for row in rows { csv.append(row.names + tallies(of: row)) }
        return csv
    }

    private func column(_ title: String) -> Table.Column {
        switch title {
        case "place": .place
        case "rule": .init("RULE", importance: .low)
        default: .init(title.uppercased())
        }
    }

    private var tallyColumns: [Table.Column] { tallyTitles.map { .init($0, .right) } }

    /// Where both are counted, their titles say which.
    private var tallyTitles: [String] {
        let titles = ["PACKETS", "BYTES", "FLOWS"]
        guard hasAdmitted && hasRefused else { return titles }
        return ["ADMITTED", "ADMITTED BYTES", "REFUSED", "REFUSED BYTES"]
    }

    private func tallies(of row: Row) -> [String] {
        guard let admitted = row.admitted, let refused = row.refused else {
            return (row.admitted ?? row.refused ?? Tally()).cells
        }
        return [admitted, refused].flatMap { ["\($0.packets)", "\($0.bytes)"] }
    }
}

extension Tally {
    /// What stands below counters that don't hold everything.
    var notRecordedText: String {
        guard self != Tally() else { return "" }
        return "\nrefused but in no line above: \(count(packets, "packet")), "
            + "\(count(bytes, "byte")), \(count(flows, "flow"))\n"
    }
}
