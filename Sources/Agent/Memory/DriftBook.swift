internal import NetTypes
internal import Reports

/// Drift of the last hour, so that what happens again and again stays one record.
///
/// A tenant's root can change its own tables without a pause: what it can make is a bounded number of records
/// for each hour, and none of its changes goes uncounted.
struct DriftBook {
    /// What makes two changes the same drift.
    struct Key: Hashable {
        let namespace: NamespaceID
        let kind: DriftRecord.Kind
        /// The table or program, or "" for all that found no place of its own.
        let subject: String
        let process: String?
        let user: UInt32?
    }

    private struct Entry {
        var record: DriftRecord
        let began: Timestamp
    }

    private var entries: [Key: Entry] = [:]
    private var crowds: [NamespaceID: Int] = [:]
    private var grown: Set<Key> = []
    private var lastNumber: UInt64 = 0
    /// Tells the records of this agent from those of others.
    private let series: String

    /// How many records a namespace has of its own in an hour.
    static let limit = 64
    /// How many all namespaces have together.
    static let most = 4096
    static let hour: Int64 = 3_600_000

    init(series: String) { self.series = series }

    /// Whether something grew that was not told yet.
    var hasGrown: Bool { !grown.isEmpty }

    /// Takes in what happened.
    ///
    /// - Parameters:
    ///   - key: What it is.
    ///   - record: The same in full; its id is given here.
    ///   - times: How often it happened.
    /// - Returns: The record, if it is a new one; what only grew is told later.
    mutating func take(
        _ key: Key, _ record: DriftRecord, times: UInt64 = 1
    ) -> DriftRecord? {
        let old = record.found.milliseconds - Self.hour
        close(before: old, in: [key.namespace])
        if entries.count >= Self.most { close(before: old, in: Set(entries.keys.map(\.namespace))) }
        var key = key
        var record = record
        // What a tenant can't bring about by itself never stands back behind what it can.
        let isCrowded =
            key.kind.isOfTenants
            && (crowds[key.namespace, default: 0] >= Self.limit || entries.count >= Self.most)
        if entries[key] == nil, isCrowded {
            key = Key(
                namespace: key.namespace, kind: key.kind, subject: "", process: nil, user: nil)
            record.change = "more of the same kind, too many to tell apart"
            (record.process, record.pid, record.user, record.login) = (nil, nil, nil, nil)
        }
        if entries[key] != nil {
            grow(key, record, times)
            return nil
        }
        lastNumber += 1
        record.id = "\(series)-\(lastNumber)"
        if times > 1 { (record.times, record.last) = (times, record.found) }
        entries[key] = Entry(record: record, began: record.found)
        if key.kind.isOfTenants { crowds[key.namespace, default: 0] += 1 }
        return record
    }

    private mutating func grow(_ key: Key, _ record: DriftRecord, _ times: UInt64) {
        guard var entry = entries[key] else { return }
        let others = " (and other changes)"
        if entry.record.change != record.change, !entry.record.change.hasSuffix(others) {
            entry.record.change += others
        }
        let (sum, overflow) = (entry.record.times ?? 1).addingReportingOverflow(times)
        entry.record.times = overflow ? .max : sum
        entry.record.last = record.found
        entry.record.isRepaired = record.isRepaired
        entry.record.repairMilliseconds = record.repairMilliseconds
        entries[key] = entry
        grown.insert(key)
    }

    /// What grew since the last time.
    mutating func takeGrown() -> [DriftRecord] {
        defer { grown = [] }
        return grown.compactMap { entries[$0]?.record }.sorted { $0.id ?? "" < $1.id ?? "" }
    }

    /// A namespace is gone, and one that gets its number is another.
    ///
    /// What grew has to be taken before.
    mutating func leave(_ namespace: NamespaceID) {
        entries = entries.filter { $0.key.namespace != namespace }
        grown = grown.filter { $0.namespace != namespace }
        crowds[namespace] = nil
    }

    /// Ends records that began too long ago, but not before they were told.
    private mutating func close(before moment: Int64, in namespaces: Set<NamespaceID>) {
        for (key, entry) in entries
        where namespaces.contains(key.namespace) && entry.began.milliseconds < moment
            && !grown.contains(key)
        {
            entries[key] = nil
            if key.kind.isOfTenants { crowds[key.namespace, default: 0] -= 1 }
        }
    }
}

extension DriftRecord.Kind {
    /// Whether the root of a tenant's namespace can bring it about at any rate.
    fileprivate var isOfTenants: Bool { self == .otherTable || self == .otherTableGone }
}
