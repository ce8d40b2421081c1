import NetTypes
import Policy
import Reports
import Verifier

// What is proven, what is not, and what is violated.
extension AuditReport {
    var summarySection: HTMLSection {
        let coverage = kernel.coverage
        let cards = [
            ("\(checks.count { $0.outcome == .proven })", "checks proven"),
            ("\(checks.count { $0.outcome == .violated })", "checks violated"),
            ("\(checks.count { $0.outcome == .notProven })", "checks not proven"),
            ("\(coverage.endpoints)", "endpoints"), ("\(policies.rules)", "rules of policies"),
            ("\(coverage.packets)", "kinds of packets followed"),
        ].map { "<div><b>\($0)</b>\($1.escaped)</div>" }.joined()
        let words =
            switch outcome {
            case .proven:
                "For every packet, the kernel does what the policy files say, and every assertion"
                    + " holds."
            case .notProven:
                "Something could not be proven; what it was stands below. Nothing was found to be"
                    + " violated."
            case .violated: "Something is not as it has to be; the findings stand below."
            }
        let open = checks.filter { $0.outcome != .proven }
        let table = HTMLTable(
            "Check", "Outcome", "Owner",
            rows: open.map { [.text($0.title), .outcome($0.outcome), .text($0.owner ?? "")] })
        return HTMLSection(
            title: "Summary",
            content: paragraph(words) + "<div class=\"cards\">\(cards)</div>\n"
                + (open.isEmpty ? "" : table.text))
    }

    var matrixSection: HTMLSection {
        let open = matrix.cells.filter(\.isOpen)
        let table = HTMLTable(
            "From", "To", "Over", "By rules", "Kernel",
            rows: open.map { cell in
                [
                    .text(cell.source), .text(cell.destination),
                    .text(cell.services.joined(separator: "; ")),
                    .text(
                        cell.rules.map { "\($0.policy) (\($0.place))" }.joined(separator: "; ")),
                    .outcome(cell.kernel),
                ]
            })
        let legend =
            "<p class=\"legend\">Rows call columns. ● some service is open (listed below); empty:"
            + " nothing passes; ? not proven; ! the kernel differs. Whatever isn't listed below is"
            + " closed.</p>\n"
        return HTMLSection(
            title: "Who can reach whom",
            content: (matrix.picture ?? paragraph("There are too many parties for a picture."))
                + legend + table.text)
    }

    var assertionsSection: HTMLSection {
        guard !assertions.isEmpty else {
            return HTMLSection(
                title: "Assertions",
                content: paragraph("The policy directory has no documents of the kind Assertion."))
        }
        let table = HTMLTable(
            "Assertion", "Claim", "Outcome", "Owner", "Controls",
            rows: assertions.map { result in
                let answer = result.answer
                let notes = answer.notes.isEmpty ? "" : " (\(answer.notes.joined(separator: "; ")))"
                return [
                    .text(answer.assertion.name), .text(answer.statement + notes),
                    .outcome(result.outcome), .text(answer.assertion.owner ?? ""),
                    .text(answer.assertion.controls.joined(separator: ", ")),
                ]
            })
        let broken = assertions.filter { $0.outcome != .proven }.map(details)
        return HTMLSection(title: "Assertions", content: table.text + broken.joined())
    }

    private func details(_ result: AssertionResult) -> String {
        let assertion = result.answer.assertion
        let more = result.answer.violationCount - result.answer.violations.count
        let violations = result.answer.violations.map { violation in
            "<p>\(violation.reason.escaped)</p>\n<ol class=\"path\">"
                + violation.path.map { "<li><code>\($0.description.escaped)</code></li>" }.joined()
                + "</ol>\n<p>To mend it: \(violation.fix.escaped)</p>\n"
        }
        return "<div class=\"finding\"><h3>\(assertion.name.escaped)</h3>\n"
            + paragraph("\(result.answer.statement) (\(assertion.place))")
            + violations.joined() + (more > 0 ? paragraph("and \(more) more") : "")
            + list(result.doubts) + "</div>\n"
    }

    var findingsSection: HTMLSection {
        let endpoints = kernel.endpoints.flatMap { endpoint in
            endpoint.findings.map { finding($0, at: "\(endpoint.tenant)/\(endpoint.name)") }
        }
        let outside = (kernel.hostFilter?.findings ?? []).map { finding in
            "<div class=\"finding\"><h3>Host filter</h3>\n" + paragraph(finding.words) + "</div>\n"
        }
        let all = endpoints + outside
        return HTMLSection(
            title: "Where the kernel differs",
            content: all.isEmpty ? paragraph("Nowhere that was looked at.") : all.joined())
    }

    private func finding(_ finding: Finding, at endpoint: String) -> String {
        let rule = finding.policy.rule.map { "\($0.policy) at \($0.place)" }
        let sides = [
            ("Packet", finding.packet.description),
            (
                "Policies",
                "\(finding.policy.passes ? "pass" : "refuse"): \(rule ?? finding.policy.reason)"
            ),
            ("Kernel", "\(finding.kernel.passes ? "pass" : "refuse"): \(finding.kernel.reason)"),
            ("Where", finding.kernel.places.map(\.description).joined(separator: ", then ")),
            ("Kinds of packets", "\(finding.classes)"),
        ].map { "<dt>\($0)</dt><dd><code>\($1.escaped)</code></dd>" }.joined()
        return "<div class=\"finding\"><h3>\(endpoint.escaped): \(finding.kind.words)</h3>\n"
            + "<dl>\(sides)</dl></div>\n"
    }

    var unprovenSection: HTMLSection {
        let rows: [[HTMLTable.Cell]] =
            kernel.unproven.map { [.text("the machine"), .text($0.reason), .text($0.fix)] }
            + kernel.endpoints.flatMap { endpoint in
                endpoint.unproven.map { unproven in
                    [
                        .text("\(endpoint.tenant)/\(endpoint.name)"), .text(unproven.reason),
                        .text(unproven.fix),
                    ]
                }
            }
            + (kernel.hostFilter?.unproven ?? []).map {
                [.text("the host filter"), .text($0.reason), .text($0.fix)]
            }
        return HTMLSection(
            title: "What was not proven",
            content: rows.isEmpty
                ? paragraph("Nothing is left open of what was looked at.")
                : HTMLTable("Where", "Why", "What to do", rows: rows).text)
    }
}
