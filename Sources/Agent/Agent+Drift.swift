internal import NetTypes
internal import Policy
internal import Reports
internal import Rules
internal import Store

/// What somebody else did to a table of ours.
///
/// Nobody can while the agent owns the tables, so it is found when they are read: at a start.
extension Agent {
    /// Finds what was changed in tables that would be as they should if nobody had touched them: build,
    /// files and addresses are as the checkpoint says, so nothing that we did explains it.
    func findDrift(since resumption: Resumption) {
        for table in resumption.checkpoint.tables
        where !resumption.tables.contains(table.id) && tenures[table.id] != nil {
            guard let holding = holdings[table.id] else {
                drift[table.id] = "the table was gone"
                continue
            }
            if holding.isDoubtful { continue }
            guard let state = holding.state else {
                drift[table.id] = holding.damage ?? "the table was another"
                continue
            }
            let count = wanted(table.id).changes(from: state).count
            if count > 0 { drift[table.id] = "\(count) elements were missing or others" }
        }
    }

    /// Tells of a table that somebody changed, once it is known whether it is mended.
    func tellDrift(of id: NamespaceID, isRepaired: Bool) {
        guard let change = drift[id] else { return }
        if isRepaired { drift[id] = nil }
        let record = DriftRecord(
            found: clock(), tenant: endpointName(id)?.tenant,
            endpoint: endpointName(id)?.name ?? observed[id]?.name ?? "\(id)", change: change,
            isRepaired: isRepaired)
        store.record(record)
        tell(.drift(record))
    }
}
