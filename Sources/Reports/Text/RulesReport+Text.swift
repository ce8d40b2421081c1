import NetTypes
import Policy

extension RulesReport: TextReport {
    public func text(_ form: TextForm) -> String {
        var table = Table(
            .init("FROM"), .init("TO"), .init("SERVICE"), .init("POLICY"),
            .init("OWNER", importance: .low), .place, .init("PACKETS", .right),
            .init("BYTES", .right), .init("FLOWS", .right))
        for summary in rules {
            table.append(
                [
                    summary.from.joined(separator: ", "), summary.to.joined(separator: ", "),
                    summary.service, summary.rule.policy, summary.rule.owner ?? "",
                    "\(summary.rule.place.file):\(summary.rule.place.line)",
                ] + summary.admitted.cells)
        }
        let more = next == nil ? "" : "there are more; --limit shows them\n"
        return section("rules", table, form, none: "none") + more
    }

    /// A row for each rule.
    public var csv: CSV {
        var csv = CSV([
            "rule", "from", "to", "service", "policy", "owner", "ticket", "place", "packets",
            "bytes", "flows",
        ])
        for summary in rules {
            csv.append(
                [
                    summary.rule.id.description, summary.from.joined(separator: ", "),
                    summary.to.joined(separator: ", "), summary.service, summary.rule.policy,
                    summary.rule.owner, summary.rule.ticket, summary.rule.place.description,
                ] + summary.admitted.cells)
        }
        return csv
    }
}
