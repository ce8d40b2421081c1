import NetTypes

extension DriftReport: TextReport {
    public func text(_ form: TextForm) -> String {
        section("drift", drift.driftTable(form), form, none: "none")
    }

    /// A row for each record.
    public var csv: CSV {
        var csv = DriftRecord.csv
        for record in drift { csv.append(record.csvRow) }
        return csv
    }
}

extension [DriftRecord] {
    func driftTable(_ form: TextForm) -> Table {
        var table = Table(
            .init("FOUND", importance: .high), .init("ENDPOINT"), .init("CHANGE"),
            .init("BY", importance: .low), .init("TIMES", .right),
            .init("REPAIRED", importance: .high))
        for record in self {
            table.append([
                .init(form.moment(record.found)), .init(record.endpointText),
                .init(record.change), .init(record.culprit ?? "unknown"),
                .init("\(record.times ?? 1)"), .init(record.outcome, record.outcomeStyle),
            ])
        }
        return table
    }
}

extension DriftRecord {
    /// The columns of `csvRow`.
    public static var csv: CSV {
        CSV([
            "found", "last", "times", "tenant", "endpoint", "kind", "change", "process", "pid",
            "uid", "login_uid", "repaired", "repair_ms",
        ])
    }

    public var csvRow: [String?] {
        [
            found.description, last?.description, "\(times ?? 1)", tenant, endpoint,
            kind?.rawValue, change, process, pid.map { "\($0)" }, user.map { "\($0)" },
            login.map { "\($0)" }, isRepaired ? "true" : "false",
            repairMilliseconds.map { "\($0)" },
        ]
    }

    /// One line, for a stream that people read.
    public var line: String {
        let often = times.map { $0 > 1 ? " (\($0) times)" : "" } ?? ""
        return
            ("\((last ?? found).description) \(endpointText): \(change)\(often); "
            + "by \(culprit ?? "unknown"); repaired: \(outcome)").printable
    }

    var endpointText: String { (tenant.map { $0 + "/" } ?? "") + endpoint }

    /// Who did it, as far as the kernel told; nil where it told nothing.
    public var culprit: String? {
        guard process != nil || pid != nil || user != nil else { return nil }
        let login = login.flatMap { $0 == user ? nil : "logged in as uid \($0)" }
        return [
            process?.foreignName, pid.map { "pid \($0)" },
            user.map { "uid \($0) when looked up" } ?? "user unknown", login,
        ].compactMap(\.self).joined(separator: ", ")
    }

    private var isEnd: Bool { kind?.isEnd ?? false }

    /// Whether it was repaired, and how fast.
    public var outcome: String {
        if isEnd { return "gone" }
        guard isRepaired else { return "no" }
        return repairMilliseconds.map { "in \(milliseconds($0))" } ?? "yes"
    }

    fileprivate var outcomeStyle: Style { isRepaired || isEnd ? .good : .bad }
}
