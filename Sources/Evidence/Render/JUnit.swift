import NetTypes
import Policy
import Verifier
import Reports

extension AuditReport {
    /// The checks as JUnit XML, as build servers read it: violated is a failure, what is not proven
    /// an error.
    var junit: String {
        let failures = checks.count { $0.outcome == .violated }
        let errors = checks.count { $0.outcome == .notProven }
        let seconds = Double(finished.milliseconds - started.milliseconds) / 1000
        let counts = "tests=\"\(checks.count)\" failures=\"\(failures)\" errors=\"\(errors)\""
        let head = """
            <?xml version="1.0" encoding="UTF-8"?>
            <testsuites name="ringfence audit" \(counts) time="\(seconds)">
              <testsuite name="ringfence audit" \(counts) skipped="0" time="\(seconds)" \
            timestamp="\(started.description.dropLast(5))" hostname="\(machine.host.escaped)">

            """
        return head + checks.map(testCase).joined() + "  </testsuite>\n</testsuites>\n"
    }

    private func testCase(_ check: Check) -> String {
        let place = check.places.first.map {
            " file=\"\($0.file.escaped)\" line=\"\($0.line)\""
        }
        let head =
            "    <testcase classname=\"ringfence.\(check.kind.rawValue)\" "
            + "name=\"\(check.id.escaped): \(check.title.escaped)\"\(place ?? "") time=\"0\""
        guard check.outcome != .proven else { return head + "/>\n" }
        let element = check.outcome == .violated ? "failure" : "error"
        let message = check.details.first ?? check.outcome.title
        let text = check.details.map(\.escaped).joined(separator: "\n")
        return head + ">\n      <\(element) message=\"\(message.escaped)\" "
            + "type=\"\(check.outcome.rawValue)\">\(text)</\(element)>\n    </testcase>\n"
    }
}
