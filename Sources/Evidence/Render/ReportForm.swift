internal import NetTypes
import Policy
import Verifier
public import Reports

/// In which form evidence is written, by the ending of the file's name.
public enum ReportForm: String, Hashable, Sendable, CaseIterable {
    case html
    case json
    case csv
    /// OSCAL assessment results.
    case oscal = "oscal.json"
    /// JUnit.
    case xml
    case sarif

    /// The form that a file's name asks for; nil where it asks for none.
    public init?(fileName: String) {
        let name = fileName.lowercased()
        // The longer ending first: an OSCAL file ends in `.json` too.
        let forms = Self.allCases.sorted { $0.rawValue.count > $1.rawValue.count }
        guard let form = forms.first(where: { name.hasSuffix(".\($0.rawValue)") }) else {
            return nil
        }
        self = form
    }
}

extension AuditReport {
    /// The report in one of its forms.
    public func text(_ form: ReportForm) throws -> String {
        switch form {
        case .html: html
        case .json: try ReportJSON.text(self)
        case .csv: csv.text
        case .oscal: try ReportJSON.text(oscal)
        case .xml: junit
        case .sarif: try ReportJSON.text(sarif)
        }
    }

    /// A row for each check, finding and rule that needs a look.
    public var csv: CSV {
        var csv = CSV([
            "check", "kind", "title", "outcome", "detail", "file", "line", "column", "owner",
            "controls",
        ])
        for check in checks {
            for detail in check.details.isEmpty ? [""] : check.details {
                csv.append([
                    check.id, check.kind.rawValue, check.title, check.outcome.rawValue, detail,
                    check.places.first?.file, check.places.first.map { "\($0.line)" },
                    check.places.first.map { "\($0.column)" }, check.owner,
                    check.controls.joined(separator: " "),
                ])
            }
        }
        for rule in rules where rule.isUnused || rule.expires != nil {
            csv.append([
                "rule/\(rule.rule.id)", "rule", "\(rule.rule.policy) \(rule.service)",
                rule.isUnused ? "unused" : "expires", rule.expires?.description,
                rule.rule.place.file, "\(rule.rule.place.line)", "\(rule.rule.place.column)",
                rule.rule.owner, "",
            ])
        }
        return csv
    }
}
