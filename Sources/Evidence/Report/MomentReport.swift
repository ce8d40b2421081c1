public import NetTypes
public import Reports
import Verifier

/// What was in force at a moment, by what was kept of it.
public struct MomentReport: Hashable, Sendable, Codable {
    public var at: Timestamp
    public var generation: GenerationRecord
    /// When the next generation came; nil where it is the last that is known.
    public var until: Timestamp?
    /// The last audit that was begun by then; nil where there is none.
    public var audit: AuditRecord?
    /// Whether that audit held the kernel against the very files of the generation.
    public var isOfTheAudit: Bool

    /// Nil where nothing that old is kept.
    public init?(at: Timestamp, _ generations: [GenerationRecord], _ audits: [AuditRecord]) {
        guard let index = generations.lastIndex(where: { $0.applied <= at }) else { return nil }
        self.at = at
        generation = generations[index]
        until = generations.dropFirst(index + 1).first?.applied
        let audit = audits.last { $0.started <= at }
        self.audit = audit
        let digests = Set(generations[index].files.values)
        isOfTheAudit = audit.map { Set($0.policies.files.map(\.sha256)) == digests } ?? false
    }
}

extension MomentReport: TextReport {
    public func text(_ form: TextForm) -> String {
        var lines = [
            "at \(at): generation \(generation.number), in force since \(generation.applied)"
                + (until.map { " until \($0)" } ?? "")
        ]
        if !generation.errors.isEmpty {
            lines.append("what lay in the directory was not in force as a whole:")
            lines += generation.errors.map { "  \($0.printable)" }
        }
        var table = Table(.init("FILE"), .init("SHA-256"))
        for (file, digest) in generation.files.sorted(by: { $0.key < $1.key }) {
            table.append([file, digest])
        }
        lines.append(audit.map(words) ?? "no audit had been made by then")
        return lines.map { $0 + "\n" }.joined() + table.text(form)
    }

    private func words(_ audit: AuditRecord) -> String {
        "the last audit by then, record \(audit.sequence) of \(audit.started): "
            + audit.outcome.title.lowercased()
            + (isOfTheAudit ? ", with these files" : ", with other files")
    }

    /// A row for each file.
    public var csv: CSV {
        var csv = CSV([
            "at", "generation", "applied", "until", "file", "sha256", "audit", "outcome",
        ])
        for (file, digest) in generation.files.sorted(by: { $0.key < $1.key }) {
            csv.append([
                at.description, "\(generation.number)", generation.applied.description,
                until?.description, file, digest, audit.map { "\($0.sequence)" },
                audit?.outcome.rawValue,
            ])
        }
        return csv
    }
}
