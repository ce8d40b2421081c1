import NetTypes
import Verifier
import Policy
import Reports

extension AuditReport {
    /// What is wrong as a SARIF 2.1.0 log, with the places in the policy files.
    var sarif: JSONValue {
        [
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [
                [
                    "tool": [
                        "driver": [
                            "name": "ringfence",
                            "semanticVersion": .text(machine.version),
                            "rules": .list(SARIFRule.allCases.map(\.descriptor)),
                        ]
                    ],
                    "columnKind": "unicodeCodePoints",
                    "invocations": [
                        [
                            "executionSuccessful": true,
                            "exitCode": .number(Int(outcome.exitCode)),
                            "startTimeUtc": .text(started.description),
                            "endTimeUtc": .text(finished.description),
                            "machine": .text(machine.host.printable),
                        ]
                    ],
                    "results": .list(results),
                ]
            ],
        ]
    }

    private var results: [JSONValue] {
        let wrong = checks.filter { $0.outcome != .proven && $0.kind != .assertion }
        let findings = wrong.flatMap { check in
            check.details.map { detail in
                result(
                    check.outcome == .violated ? .kernel : .notProven, "\(check.id): \(detail)",
                    level: check.outcome == .violated ? "error" : "warning", check.places,
                    key: "\(check.id) \(detail)")
            }
        }
        let broken = assertions.filter { $0.outcome == .violated }.flatMap { result in
            result.answer.violations.map { self.violation($0, of: result) }
        }
        let doubted = assertions.filter { $0.outcome == .notProven }.map { result in
            self.result(
                .notProven,
                "assertion \(result.answer.assertion.name): "
                    + result.doubts.joined(separator: "; "),
                level: "warning", [result.answer.assertion.place],
                key: "assertion \(result.answer.assertion.name)")
        }
        let unused = rules.filter(\.isUnused).map { rule in
            result(
                .unused,
                "nothing has passed by this rule of \(rule.rule.policy) (\(rule.service))",
                level: "note", [rule.rule.place], key: "\(rule.rule.id)")
        }
        return findings + broken + doubted + unused
    }

    private func violation(
        _ violation: AssertionViolation, of result: AssertionResult
    ) -> JSONValue {
        let assertion = result.answer.assertion
        let rules = violation.path.flatMap { [$0.egress, $0.ingress] }.compactMap(\.self)
        let places = rules.map(\.place).unique + [assertion.place]
        let log = self.result(
            .assertion, "\(result.answer.statement): \(violation.words)", level: "error", places,
            key: "\(assertion.name) \(violation.reason)")
        guard !violation.path.isEmpty else { return log }
        let steps = violation.path.map { hop -> JSONValue in
            let place = (hop.ingress ?? hop.egress)?.place ?? assertion.place
            return [
                "location": Self.location(place).adding(
                    "message", ["text": .text(hop.description.printable)])
            ]
        }
        return log.adding("codeFlows", [["threadFlows": [["locations": .list(steps)]]]])
    }

    private func result(
        _ rule: SARIFRule, _ text: String, level: String, _ places: [SourcePlace], key: String
    ) -> JSONValue {
        [
            "ruleId": .text(rule.rawValue),
            "ruleIndex": .number(SARIFRule.allCases.firstIndex(of: rule) ?? 0),
            "level": .text(level),
            "message": ["text": .text(text.printable)],
            "locations": .list(places.prefix(1).map(Self.location)),
            "relatedLocations": .list(places.dropFirst().map(Self.location)),
            "partialFingerprints": ["ringfence/v1": .text(sha256(Array(key.utf8)))],
        ]
    }

    private static func location(_ place: SourcePlace) -> JSONValue {
        [
            "physicalLocation": [
                "artifactLocation": ["uri": .text(place.file.uriReference)],
                "region": [
                    "startLine": .number(max(1, place.line)),
                    "startColumn": .number(max(1, place.column)),
                ],
            ]
        ]
    }
}

/// The kinds of results in a log.
private enum SARIFRule: String, CaseIterable {
    case kernel = "RF001"
    case assertion = "RF002"
    case notProven = "RF003"
    case unused = "RF004"

    var descriptor: JSONValue {
        let (name, text) =
            switch self {
            case .kernel:
                (
                    "KernelDiffers",
                    "The kernel treats a packet in another way than the policies say."
                )
            case .assertion: ("AssertionViolated", "The policies don't fulfil an assertion.")
            case .notProven: ("NotProven", "Something could not be proven.")
            case .unused: ("UnusedRule", "Nothing has passed by the rule since counting began.")
            }
        return [
            "id": .text(rawValue), "name": .text(name), "shortDescription": ["text": .text(text)],
        ]
    }
}

extension String {
    /// A path as a relative or absolute URI reference of RFC 3986.
    fileprivate var uriReference: String {
        let plain = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/".utf8)
        let text = utf8.reduce(into: "") { text, byte in
            if plain.contains(byte) {
                text.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                text += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return text.hasPrefix("/") ? "file://" + text : text
    }
}
