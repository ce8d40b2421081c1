internal import AgentCore
internal import Linux
internal import Logging
internal import NetTypes
internal import Policy
internal import Reports
internal import Rules
internal import Store

/// What somebody did to a table of ours, and that is not repaired yet.
struct OpenDrift {
    let change: String
    var culprit = Culprit()
    /// When it was heard of; nil where it was found at a start, since nobody knows when it was.
    var heard: ContinuousClock.Instant?
    /// Whether it was told as not repaired.
    var isTold = false
}

/// Who made a change, as far as the kernel tells.
struct Culprit: Hashable {
    var process: String?
    var pid: Int32?
    var owner: ProcessOwner?
}

/// What somebody else did to a table of ours, or put beside it.
///
/// Nobody can change a table of ours while the agent owns it. So that is found when tables are read at
/// a start, and otherwise only where an owner's socket was closed behind the agent's back.
extension Agent {
    /// How long what grows in a record waits before it is told.
    private static let patience = Duration.seconds(10)

    /// Finds what was changed in tables that would be as they should if nobody had touched them: build,
    /// files and addresses are as the checkpoint says, so nothing that we did explains it.
    func findDrift(since resumption: Resumption) {
        for table in resumption.checkpoint.tables
        where !resumption.tables.contains(table.id) && tenures[table.id] != nil {
            guard let holding = holdings[table.id] else {
                drift[table.id] = OpenDrift(change: "the table was gone")
                continue
            }
            if holding.isDoubtful { continue }
            guard let state = holding.state else {
                drift[table.id] = OpenDrift(change: holding.damage ?? "the table was another")
                continue
            }
            let changes = wanted(table.id).changes(from: state)
            if changes.count > 0 { drift[table.id] = OpenDrift(change: changes.driftText) }
        }
    }

    /// Tells of a table that somebody changed, once it is known whether it is mended.
    func tellDrift(of id: NamespaceID, isRepaired: Bool) {
        guard let open = drift[id] else { return }
        drift[id] =
            isRepaired
            ? nil
            : OpenDrift(
                change: open.change, culprit: open.culprit, heard: open.heard, isTold: true)
        let time = open.heard.map { (ContinuousClock.now - $0).milliseconds }
        note(
            .ownTable, subject: "own", of: id, open.change, by: open.culprit,
            isRepaired: isRepaired, after: isRepaired ? time : nil, times: open.isTold ? 0 : 1)
    }

    /// Records drift; what was there within the hour already grows.
    func note(
        _ kind: DriftRecord.Kind, subject: String, of id: NamespaceID, _ change: String,
        by culprit: Culprit = Culprit(), isRepaired: Bool = false, after time: Double? = nil,
        times: UInt64 = 1
    ) {
        let name = endpointName(id)
        let record = DriftRecord(
            found: clock(), tenant: name?.tenant,
            endpoint: name?.name ?? observed[id]?.name ?? "\(id)", kind: kind, change: change,
            process: culprit.process, pid: culprit.pid, user: culprit.owner?.user,
            login: culprit.owner?.login, isRepaired: isRepaired, repairMilliseconds: time)
        let key = DriftBook.Key(
            namespace: id, kind: kind, subject: subject, process: culprit.process,
            user: culprit.owner?.user)
        metrics.drifted(kind, times: times, isRepaired: isRepaired)
        if let new = driftBook.take(key, record, times: times) {
            logger.warning("drift: \(new.line)")
            store.record(new)
            tell(.drift(new))
        } else if driftBook.hasGrown {
            schedule.set(.drift, noLaterThan: .now + Self.patience)
        }
    }

    /// Hands on what grew since it was last told.
    func keepDrift() {
        schedule.cancel(.drift)
        for record in driftBook.takeGrown() {
            store.record(record)
            tell(.drift(record))
        }
    }

    /// Brings a table of ours that somebody may have changed into its state: in one transaction.
    func repair(_ id: NamespaceID, _ open: OpenDrift) {
        guard holdings[id] != nil, configuration.hostFilter != .only else { return }
        drift[id] = drift[id] ?? open
        holdings[id]?.isDoubtful = true
        reapply([id])
        tellIfRepaired(id)
    }

    /// What is as it should be was changed and changed back.
    func tellIfRepaired(_ id: NamespaceID) {
        guard drift[id] != nil, isAtRest(id), let holding = holdings[id], !holding.isDoubtful,
            holding.problem == nil
        else { return }
        tellDrift(of: id, isRepaired: true)
    }
}

extension Changeset {
    /// What somebody changed, told by how it is put right.
    fileprivate var driftText: String {
        let parts: [(String, Int, Int)] = [
            ("own addresses", own.added.count, own.removed.count),
            (
                "peers", peers4.added.count + peers6.added.count,
                peers4.removed.count + peers6.removed.count
            ),
            ("ingress admissions", ingress.added.count, ingress.removed.count),
            ("egress admissions", egress.added.count, egress.removed.count),
            ("rules", rules.added.count, rules.removed.count),
        ]
        let words = parts.filter { $0.1 + $0.2 > 0 }.map { name, missing, strange in
            let counts = [
                missing > 0 ? "\(missing) missing" : nil, strange > 0 ? "\(strange) foreign" : nil,
            ]
            return "\(name): \(counts.compactMap(\.self).joined(separator: ", "))"
        }
        return "elements of the table: " + words.joined(separator: "; ")
    }
}
