import NetTypes

extension StoreInfo: TextReport {
    /// Where it is and how it is; below it a row for each table.
    public func text(_ form: TextForm) -> String {
        var table = Table(
            .init("TABLE"), .init("ROWS", .right), .init("OLDEST"), .init("NEWEST"))
        for row in contents {
            table.append([
                row.table, "\(row.rows)", row.oldest?.description ?? "",
                row.newest?.description ?? "",
            ])
        }
        let health = damage.isEmpty ? "ok" : "damaged"
        let head = """
            file: \(path.printable)
            size: \(Self.size(bytes)), of which free: \(Self.size(freeBytes))
            schema: \(schema.printable)
            health: \(health)

            """
        let lines = damage.map { "    \($0.printable)\n" }.joined()
        return head + lines + table.text(form)
    }

    /// The tables.
    public var csv: CSV {
        var csv = CSV(["table", "rows", "oldest", "newest"])
        for row in contents {
            csv.append([
                row.table, "\(row.rows)", row.oldest?.description, row.newest?.description,
            ])
        }
        return csv
    }

    /// `512 B`, `1.5 KiB`, `20.0 MiB`.
    private static func size(_ bytes: Int64) -> String {
        guard bytes >= 1024 else { return "\(bytes) B" }
        var (tenths, unit) = (bytes * 10 / 1024, 0)
        let units = ["KiB", "MiB", "GiB", "TiB"]
        while tenths >= 10_240, unit < units.count - 1 {
            tenths /= 1024
            unit += 1
        }
        return "\(tenths / 10).\(tenths % 10) \(units[unit])"
    }
}
