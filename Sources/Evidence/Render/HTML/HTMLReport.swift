import Reports
import Verifier

extension AuditReport {
    /// One file that needs no other, for a browser and for paper.
    var html: String {
        """
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; \
        style-src 'unsafe-inline'">
        <title>Ringfence audit: \(machine.host.escaped), \(started)</title>
        <style>
        \(HTMLStyle.text)</style>
        </head>
        <body>
        <header>
        <h1>Isolation audit</h1>
        <p class="verdict \(outcome.rawValue)">\(outcome.title)</p>
        <p>\(machine.host.escaped), \(started) to \(finished)</p>
        </header>
        <main>
        \(sections.map(\.text).joined())</main>
        </body>
        </html>

        """
    }

    private var sections: [HTMLSection] {
        [
            summarySection, matrixSection, assertionsSection, findingsSection, unprovenSection,
            probesSection, violationsSection, driftSection, rulesSection, policiesSection,
            controlsSection, coverageSection, recordSection,
        ].compactMap(\.self)
    }
}

/// A titled part of the report.
struct HTMLSection {
    let title: String
    let content: String

    var text: String { "<section>\n<h2>\(title.escaped)</h2>\n\(content)</section>\n" }
}

/// A table with escaped cells.
struct HTMLTable {
    /// A cell: text that is escaped, or markup that is made here.
    enum Cell {
        case text(String)
        case code(String)
        case outcome(AuditOutcome)
        case number(UInt64)

        var markup: String {
            switch self {
            case .text(let text): "<td>\(text.escaped)</td>"
            case .code(let text): "<td><code>\(text.escaped)</code></td>"
            case .outcome(let outcome): "<td class=\"\(outcome.rawValue)\">\(outcome.title)</td>"
            case .number(let number): "<td class=\"number\">\(number)</td>"
            }
        }
    }

    let titles: [String]
    var rows: [[Cell]] = []

    init(_ titles: String..., rows: [[Cell]] = []) {
        self.titles = titles
        self.rows = rows
    }

    var text: String {
        let head = titles.map { "<th>\($0.escaped)</th>" }.joined()
        let body = rows.map { "<tr>" + $0.map(\.markup).joined() + "</tr>\n" }.joined()
        return "<table>\n<thead><tr>\(head)</tr></thead>\n<tbody>\n\(body)</tbody>\n</table>\n"
    }
}

func paragraph(_ text: String) -> String { "<p>\(text.escaped)</p>\n" }

func list(_ items: [String]) -> String {
    items.isEmpty
        ? "" : "<ul>\n" + items.map { "<li>\($0.escaped)</li>\n" }.joined() + "</ul>\n"
}
