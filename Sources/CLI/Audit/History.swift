internal import Evidence
internal import NetTypes
internal import Reports
internal import Store

/// What the agent's history tells of a time; empty where none is kept.
struct AuditHistory {
    var violations: ViolationPeriod?
    var drift: [DriftRecord] = []
    /// All that is kept, the oldest first.
    var generations: [GenerationRecord] = []

    private static let greatestCount = 10_000

    /// Reads the file in a state directory, whether an agent runs or not.
    init(in archive: HistoryArchive, since: Timestamp, until: Timestamp) throws {
        var violations: [Violation] = []
        do {
            try archive.export(.violation, since: since, until: until) { line in
                violations.append(try ReportJSON.read(Violation.self, from: line))
            }
            try archive.export(.drift, since: since, until: until) { line in
                drift.append(try ReportJSON.read(DriftRecord.self, from: line))
            }
            try archive.export(.generation) { line in
                generations.append(try ReportJSON.read(GenerationRecord.self, from: line))
            }
        } catch let error as StoreError where error.kind == .missing {
            return
        }
        self.violations = ViolationPeriod(
            since: since, until: until,
            violations: Array(violations.sorted { $0.last > $1.last }.prefix(Self.greatestCount)),
            count: violations.count)
    }

    /// The last generation with the very same files; nil if the last one has others.
    func generation(of files: [PolicyDigest]) -> GenerationRecord? {
        guard let last = generations.last,
            last.files.values.sorted() == files.map(\.sha256).sorted()
        else { return nil }
        // The files came with the first of the generations that have them in a row.
        return generations.reversed().prefix { $0.files == last.files }.last
            .map { first in
                var record = last
                record.applied = first.applied
                return record
            }
    }
}
