import NetTypes
import Policy
import Reports
import Verifier

// What was tried, what happened, whose the rules are, and what it is evidence for.
extension AuditReport {
    /// How many rows of one kind a page has; the JSON report has all.
    private static let greatestRows = 500

    var probesSection: HTMLSection? {
        guard let probes else { return nil }
        let table = HTMLTable(
            "From", "To", "Over", "Policies", "Answer", "Counted at source", "at destination",
            "Outcome",
            rows: probes.cells.prefix(Self.greatestRows).map { cell in
                [
                    .text("\(cell.source.tenant)/\(cell.source.endpoint) (\(cell.from))"),
                    .text("\(cell.destination.tenant)/\(cell.destination.endpoint) (\(cell.to))"),
                    .text(cell.service), .text(cell.isAllowed ? "admit" : "refuse"),
                    .text(cell.answer.rawValue), .text(cell.atSource.rawValue),
                    .text(cell.atDestination.rawValue), .outcome(cell.outcome),
                ]
            })
        let words =
            "\(count(probes.cells.count, "packet")) sent, seed \(probes.seed), at most"
            + " \(probes.rate) a second; \(count(probes.left, "cell")) not tried."
        return HTMLSection(title: "Real packets", content: paragraph(words) + table.text)
    }

    var violationsSection: HTMLSection? {
        guard let violations else {
            return HTMLSection(
                title: "Violations of the period",
                content: paragraph("No history is kept on this machine."))
        }
        let table = HTMLTable(
            "Last", "From", "To", "Over", "Reason", "Packets", "Closest rule",
            rows: violations.violations.prefix(Self.greatestRows).map { violation in
                [
                    .text(violation.last.description), .text(violation.source.words),
                    .text(violation.destination.words), .text(violation.service),
                    .text(violation.reason.rawValue), .number(violation.packets),
                    .text(
                        violation.closest?.rule.map { "\($0.policy) (\($0.place))" } ?? "none"),
                ]
            })
        let words =
            "\(count(violations.count, "refused flow")) from \(violations.since) to"
            + " \(violations.until)"
            + (violations.count > Self.greatestRows
                ? "; the latest \(Self.greatestRows) stand here." : ".")
        return HTMLSection(
            title: "Violations of the period",
            content: paragraph(words) + (violations.violations.isEmpty ? "" : table.text))
    }

    var driftSection: HTMLSection? {
        guard !drift.isEmpty else { return nil }
        let table = HTMLTable(
            "Found", "Endpoint", "Change", "By", "Times", "Repaired",
            rows: drift.prefix(Self.greatestRows).map { record in
                [
                    .text(record.found.description), .text(record.endpoint),
                    .text(record.change),
                    .text(record.culprit ?? "unknown"), .text("\(record.times ?? 1)"),
                    .text(record.outcome),
                ]
            })
        return HTMLSection(title: "Drift of the period", content: table.text)
    }

    var rulesSection: HTMLSection {
        let shown = rules.sorted { left, right in
            (left.isUnused ? 0 : 1, left.rule.place) < (right.isUnused ? 0 : 1, right.rule.place)
        }
        let table = HTMLTable(
            "Policy", "Owner", "Ticket", "Place", "From", "To", "Over", "Packets", "Note",
            rows: shown.prefix(Self.greatestRows).map { rule in
                [
                    .text(rule.rule.policy), .text(rule.rule.owner ?? ""),
                    .text(rule.rule.ticket ?? ""), .text("\(rule.rule.place)"),
                    .text(rule.from.joined(separator: "; ")),
                    .text(rule.to.joined(separator: "; ")), .text(rule.service),
                    rule.admitted.map { .number($0.packets) } ?? .text("not known"),
                    .text(
                        (rule.isUnused ? ["unused"] : [])
                            .appending(rule.expires.map { "expires \($0)" })
                            .joined(separator: ", ")),
                ]
            })
        let unused = rules.count(where: \.isUnused)
        let nobody = rules.count { $0.rule.owner == nil }
        let words =
            "\(count(rules.count, "rule")); \(unused) unused since counting began, \(nobody)"
            + " without an owner"
            + (rules.count > Self.greatestRows
                ? "; the first \(Self.greatestRows) stand here." : ".")
        return HTMLSection(title: "Rules and their owners", content: paragraph(words) + table.text)
    }

    var policiesSection: HTMLSection {
        let generation = policies.generation.map { number in
            "These files are generation \(number)"
                + (policies.applied.map { ", in force since \($0)." } ?? ".")
        }
        let table = HTMLTable(
            "File", "SHA-256", rows: policies.files.map { [.text($0.file), .code($0.sha256)] })
        return HTMLSection(
            title: "Policy files",
            content: paragraph("Read from \(policies.source).")
                + (generation.map(paragraph) ?? "") + table.text)
    }

    var controlsSection: HTMLSection? {
        guard !controls.isEmpty else { return nil }
        let table = HTMLTable(
            "Framework", "Control", "Outcome", "Checks",
            rows: controls.map { control in
                [
                    .text(control.catalogTitle),
                    .text(
                        [control.control, control.title].compactMap(\.self).joined(separator: " ")),
                    .outcome(control.outcome), .number(UInt64(control.checks.count)),
                ]
            })
        return HTMLSection(title: "Controls", content: table.text)
    }

    var coverageSection: HTMLSection {
        let table = HTMLTable(
            "Endpoint", "Addresses", "Tables", "Kernel rules", "Elements", "Classes", "Packets",
            "Outcome",
            rows: kernel.endpoints.prefix(Self.greatestRows).map { endpoint in
                let coverage = endpoint.coverage
                return [
                    .text("\(endpoint.tenant)/\(endpoint.name)"),
                    .text(endpoint.addresses.map(\.description).joined(separator: " ")),
                    .text(
                        endpoint.tables.map { "\($0.family) \($0.name)" }.joined(separator: ", ")),
                    .number(UInt64(coverage.rules)), .number(UInt64(coverage.elements)),
                    .number(UInt64(coverage.classes)), .number(UInt64(coverage.packets)),
                    .outcome(endpoint.outcome),
                ]
            })
        let posts = kernel.hostFilter?.posts ?? []
        let programs = HTMLTable(
            "Interface", "Hook", "Endpoint", "Programs in order",
            rows: posts.prefix(Self.greatestRows).map { post in
                [
                    .text(post.name), .text(post.hook),
                    .text(post.endpoint.map { "\($0.tenant)/\($0.endpoint)" } ?? ""),
                    .text(
                        post.programs.map { "\($0.name) id \($0.id) tag \($0.tag)" }
                            .joined(separator: ", ")),
                ]
            })
        let facts =
            "Ringfence \(machine.version) on \(machine.kernel). Every table with a hook in an"
            + " endpoint's namespace was read. Packets that no constant in the kernel's rules or in"
            + " the policies tells apart are one class, and each class was followed."
        return HTMLSection(
            title: "Coverage",
            content: paragraph(facts) + table.text + (posts.isEmpty ? "" : programs.text))
    }

    var recordSection: HTMLSection? {
        guard let record else { return nil }
        let words =
            "This audit is record \(record.sequence) of the chain. The record holds the SHA-256 of"
            + " this file; 'ringfence verify' checks it. The record before has the hash"
        return HTMLSection(
            title: "Chain of records",
            content: paragraph(words) + "<p><code>\(record.previous.escaped)</code></p>\n")
    }
}

extension [String] {
    fileprivate func appending(_ other: String?) -> [String] { self + [other].compactMap(\.self) }
}

extension ViolationEnd {
    fileprivate var words: String {
        let name = tenant.map { $0 + (endpoint.map { "/\($0)" } ?? "") } ?? party?.rawValue
        return (name.map { "\($0) " } ?? "") + "(\(address))"
    }
}

extension Violation {
    fileprivate var service: String {
        if let ports { return "\(ipProtocol) \(ports.destination)" }
        return message.map { "\(ipProtocol) \($0.type)/\($0.code)" } ?? "\(ipProtocol)"
    }
}
