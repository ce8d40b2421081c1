public import NetTypes
internal import Reports
public import Verifier

/// What the chain keeps of one audit: enough to know what was found, and the hashes of the files
/// that tell the rest.
public struct AuditRecord: Hashable, Sendable, Codable {
    public static let format = "ringfence/audit-record/v1"

    public struct CheckOutcome: Hashable, Sendable, Codable {
        public var id: String
        public var outcome: AuditOutcome
    }

    /// A file of evidence that was written with the record.
    public struct File: Hashable, Sendable, Codable {
        /// Without its folder.
        public var name: String
        public var bytes: Int
        public var sha256: String

        public init(name: String, content: [UInt8]) {
            self.name = name
            bytes = content.count
            sha256 = Evidence.sha256(content)
        }
    }

    public var format = AuditRecord.format
    /// Counted from 1.
    public var sequence: UInt64
    /// The hash of the record before; zeros for the first.
    public var previous: String
    public var machine: Machine
    public var started: Timestamp
    public var finished: Timestamp
    public var outcome: AuditOutcome
    public var policies: PoliciesInForce
    public var coverage: AuditCoverage
    public var checks: [CheckOutcome]
    /// What was wrong or not proven, up to a limit.
    public var details: [String]
    /// How many of these there are in all.
    public var detailCount: Int
    public var reports: [File]

    private static let greatestCount = 200

    public init(_ report: AuditReport, at place: RecordPlace, reports: [File]) {
        sequence = place.sequence
        previous = place.previous
        machine = report.machine
        started = report.started
        finished = report.finished
        outcome = report.outcome
        policies = report.policies
        coverage = report.kernel.coverage
        checks = report.checks.map { CheckOutcome(id: $0.id, outcome: $0.outcome) }
        let all = report.checks.flatMap { check in check.details.map { "\(check.id): \($0)" } }
        details = Array(all.prefix(Self.greatestCount))
        detailCount = all.count
        self.reports = reports
    }
}

extension RecordPlace {
    /// The place of the first record of a chain.
    public static let first = RecordPlace(
        sequence: 1, previous: String(repeating: "0", count: 64))
}

extension AuditRecord {
    /// Reads the bytes of a record; nil if they are none that this version knows.
    public init?(reading bytes: [UInt8]) {
        guard let record = try? ReportJSON.read(AuditRecord.self, from: bytes),
            record.format == AuditRecord.format
        else { return nil }
        self = record
    }
}
