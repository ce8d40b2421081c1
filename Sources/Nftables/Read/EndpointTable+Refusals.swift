public import Rules

extension EndpointTable {
    /// Reads what was refused, and nothing of what passed.
    public func refusals() throws(NftablesError) -> TableCounts {
        let program = try ProgramReading(countersOf: self)
        var counts = TableCounts(totals: program.totals, unkept: program.unkept)
        try readRefusals(into: &counts)
        return counts
    }
}
