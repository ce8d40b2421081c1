extension ConfigurationReport: TextReport {
    public func text(_ form: TextForm) -> String {
        var table = Table(.init("KEY"), .init("VALUE"), .init("FROM"))
        for value in values { table.append([value.key, value.value ?? "-", value.source]) }
        return section("configuration", table, form, none: "none")
    }

    /// A row for each key.
    public var csv: CSV {
        var csv = CSV(["key", "value", "source"])
        for value in values { csv.append([value.key, value.value, value.source]) }
        return csv
    }
}
