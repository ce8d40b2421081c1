import NetTypes
import Reports
import Verifier

extension AuditReport {
    /// The version of OSCAL whose assessment results these are.
    private static let oscalVersion = "1.1.2"

    /// OSCAL assessment results: an observation for each check, a finding for each control.
    var oscal: JSONValue {
        [
            "assessment-results": [
                "uuid": .text(id("results")),
                "metadata": [
                    "title": "Ringfence audit of \(machine.host.oscalLine)",
                    "last-modified": .text(finished.description),
                    "version": .text(started.description),
                    "oscal-version": .text(Self.oscalVersion),
                ],
                "import-ap": ["href": "#\(id("plan"))"],
                "back-matter": [
                    "resources": [
                        [
                            "uuid": .text(id("plan")),
                            "title": "Ringfence audit plan",
                            "description": .text(
                                "The kernel's rules of every endpoint are read back and held"
                                    + " against the policy files for every packet; assertions are"
                                    + " checked; optionally, real packets are sent."),
                        ]
                    ]
                ],
                "results": [result],
            ]
        ]
    }

    private var result: JSONValue {
        let result: JSONValue = [
            "uuid": .text(id("result")),
            "title": "Ringfence audit",
            "description": .text(
                "\(outcome.title): \(count(checks.count, "check")), "
                    + "\(checks.count { $0.outcome == .violated }) violated, "
                    + "\(checks.count { $0.outcome == .notProven }) not proven."),
            "start": .text(started.description),
            "end": .text(finished.description),
            "reviewed-controls": [
                "control-selections": .list(
                    catalogs.map { catalog, controls in
                        [
                            "description": .text(catalog.oscalLine),
                            "include-controls": .list(
                                controls.map { ["control-id": .text($0.oscalID)] }),
                        ]
                    })
            ],
            "observations": .list(checks.map(observation)),
            "findings": .list(controls.map(finding)),
        ]
        guard controls.isEmpty else { return result }
        // The schema wants a selection and no empty lists.
        return .object(result.entries.filter { $0.key != "findings" })
            .adding("reviewed-controls", ["control-selections": [["include-all": [:]]]])
    }

    private var catalogs: [(String, [ControlResult])] {
        Dictionary(grouping: controls, by: \.catalogTitle).sorted { $0.key < $1.key }
    }

    private func observation(_ check: Check) -> JSONValue {
        let observation: JSONValue = [
            "uuid": .text(id("observation", check.id)),
            "title": .text(check.title.oscalLine),
            "description": .text(
                ([check.outcome.title] + check.details).map(\.oscalLine).joined(separator: "\n")),
            "methods": [check.kind == .assertion ? "EXAMINE" : "TEST"],
            "collected": .text(finished.description),
            "props": [
                property("check", check.id), property("outcome", check.outcome.rawValue),
            ],
        ]
        let evidence = check.places.map { place -> JSONValue in
            ["description": .text("\(place)".oscalLine)]
        }
        return observation.adding("relevant-evidence", evidence.isEmpty ? nil : .list(evidence))
    }

    private func finding(_ control: ControlResult) -> JSONValue {
        let title = control.title.map { "\(control.control) \($0)" } ?? control.control
        return [
            "uuid": .text(id("finding", control.catalog, control.control)),
            "title": .text("\(control.catalogTitle): \(title)".oscalLine),
            "description": .text(
                "\(control.outcome.title) by \(count(control.checks.count, "check"))."),
            "target": [
                "type": "objective-id",
                "target-id": .text(control.oscalID),
                "status": control.outcome == .proven
                    ? ["state": "satisfied"]
                    : [
                        "state": "not-satisfied",
                        "reason": control.outcome == .violated ? "fail" : "other",
                    ],
            ],
            "related-observations": .list(
                control.checks.map { ["observation-uuid": .text(id("observation", $0))] }),
        ]
    }

    private func property(_ name: String, _ value: String) -> JSONValue {
        [
            "name": .text(name), "ns": "https://ringfence.invalid/oscal",
            "value": .text(value.oscalLine),
        ]
    }

    /// The same for the same part of the same audit.
    private func id(_ part: String...) -> String {
        identifier(
            machine.host, started.description, finished.description,
            part.joined(separator: "\u{0}"))
    }
}

extension JSONValue {
    fileprivate var entries: [String: JSONValue] {
        if case .object(let entries) = self { entries } else { [:] }
    }
}

extension String {
    /// One line without space at its ends, and never empty: OSCAL's strings are so.
    fileprivate var oscalLine: String {
        let scalars = printable.unicodeScalars
        let first = scalars.firstIndex { !$0.properties.isWhitespace } ?? scalars.endIndex
        guard let last = scalars.lastIndex(where: { !$0.properties.isWhitespace }) else {
            return "-"
        }
        return String(scalars[first...last])
    }
}

extension ControlResult {
    /// The control as a token of OSCAL: `ac-4`, `ac-4.21`, `pci-dss-4_1.3.1`.
    ///
    /// The ids of NIST's own catalog are lower-case, with enhancements behind a full stop; other
    /// frameworks' have their catalog in front.
    fileprivate var oscalID: String {
        let plain = control.lowercased().unicodeScalars.reduce(into: "") { text, scalar in
            switch scalar {
            case "(": text += "."
            case ")": break
            default: text.unicodeScalars.append(scalar)
            }
        }
        return catalog.hasPrefix("nist-800-53") ? plain : "\(catalog)_\(plain)"
    }
}
