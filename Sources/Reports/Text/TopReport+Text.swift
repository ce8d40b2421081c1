import NetTypes
import Policy

extension TopReport: TextReport {
    public func text(_ form: TextForm) -> String {
        table.rows.isEmpty ? "pairs: none\n" : table.text(form)
    }

    /// A whole screen, a line for each of its lines at most.
    ///
    /// - Parameters:
    ///   - form: The terminal's width and colours.
    ///   - height: How many lines there are.
    ///   - notice: What stands in the last line instead of the keys.
    /// - Returns: The lines, no more than the height.
    public func screen(_ form: TextForm, height: Int, notice: String? = nil) -> [String] {
        let head =
            "ringfence top  \(form.moment(at))  generation \(generation)  "
            + count(rows.count, "pair") + " by \(order.title)"
        let keys = "q quit  s sort"
        let lines = table.lines(form)
        let room = max(0, height - 2)
        var shown = Array(lines.prefix(room))
        if lines.count > room, room > 1 {
            shown[room - 1] = form.styled(
                count(lines.count - room + 1, "more pair"), .faint)
        }
        let width = form.width ?? .max
        let foot = notice.map { form.styled($0.printable.cut(to: width), .bad) }
        let filling = Array(repeating: "", count: max(0, room - shown.count))
        let screen =
            [form.styled(head.cut(to: width), .inverse)] + shown + filling
            + [foot ?? form.styled(keys.cut(to: width), .faint)]
        return Array(screen.prefix(height))
    }

    private var table: Table {
        var table = Table(
            .init("FROM"), .init("TO"), .init("ADM/S", .right), .init("REF/S", .right),
            .init("REFUSED", .right), .init("REASON", importance: .high),
            .init("CLOSEST RULE", importance: .low))
        for row in rows {
            let isRefused = (row.refusedRate ?? 0) > 0
            table.append([
                .init(row.source.name), .init(row.destination.name),
                .init(row.admittedRate.map(short) ?? "-"),
                .init(row.refusedRate.map(short) ?? "-", isRefused ? .bad : nil),
                .init(short(Double(row.refused))), .init(row.reason?.rawValue ?? ""),
                .init(row.closest.map { "\($0.shortRule): \($0.lack)" } ?? ""),
            ])
        }
        return table
    }

    /// A row for each pair.
    public var csv: CSV {
        var csv = CSV([
            "source", "destination", "admitted_per_second", "refused_per_second", "refused",
            "last_refused", "reason", "policy", "place", "lack",
        ])
        for row in rows {
            csv.append([
                row.source.parameter, row.destination.parameter,
                row.admittedRate.map { "\($0)" }, row.refusedRate.map { "\($0)" },
                "\(row.refused)", row.lastRefused?.description, row.reason?.rawValue,
                row.closest?.rule?.policy, row.closest?.rule?.place.description,
                row.closest?.lack,
            ])
        }
        return csv
    }
}

extension TopReport.Order {
    /// What the screen says of it.
    var title: String {
        switch self {
        case .refusedRate: "refused/s"
        case .admittedRate: "admitted/s"
        case .refused: "refused"
        case .last: "last refusal"
        case .name: "name"
        }
    }
}

extension Explanation {
    /// The policy and its line.
    fileprivate var shortRule: String {
        rule.map { "\($0.policy):\($0.place.line)" } ?? "no rule comes near"
    }
}

/// A number in five characters at most: `7`, `0.4`, `812`, `1.2k`, `31M`.
func short(_ value: Double) -> String {
    guard value.isFinite, value > 0 else { return "0" }
    let units = ["", "k", "M", "G", "T", "P", "E"]
    var (rest, unit) = (value, 0)
    while rest >= 999.5, unit < units.count - 1 {
        rest /= 1000
        unit += 1
    }
    // A count is whole; so is anything of two digits.
    let isWhole = rest >= 9.95 || (unit == 0 && rest == rest.rounded())
    if isWhole { return "\(Int(rest.rounded()))" + units[unit] }
    let tenths = max(Int((rest * 10).rounded()), 1)
    return "\(tenths / 10).\(tenths % 10)" + units[unit]
}
