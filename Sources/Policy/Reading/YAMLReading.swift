internal import YAML

/// The documents of a text, with every position counted in the whole file.
///
/// Empty documents are left out: templates leave a `---` or a comment behind where a condition does not
/// hold.
///
/// Each document is read on its own, so that one that isn't YAML doesn't hide the mistakes of the
/// others.
struct YAMLReading {
    private(set) var documents: [SourceNode] = []
    private(set) var findings: Findings
    private let path: String

    init(_ text: String, path: String) {
        self.path = path
        let bytes = Array(text.utf8)
        let scan = TextScan(bytes, path: path)
        findings = scan.findings
        guard findings.isEmpty else { return }
        for part in scan.parts where !findings.isFull { read(part, bytes[part.bytes]) }
    }

    private mutating func read(_ part: TextScan.Part, _ text: ArraySlice<UInt8>) {
        var reading = NodeReading(text, path: path, part: part)
        do throws(YAMLError) {
            let documents = try reading.documents().filter { !$0.isNull }
            reading.findings.diagnostics.forEach { finding in
                findings.report(finding.message, fix: finding.fix, at: finding.place)
            }
            if !reading.isTooDeep { self.documents += documents }
        } catch {
            report(error, in: part)
        }
    }

    private func place(_ mark: YAMLMark, in part: TextScan.Part) -> SourcePlace {
        SourcePlace(file: path, line: mark.line + part.firstLine - 1, column: mark.column)
    }
}

// What is refused.
extension YAMLReading {
    private mutating func report(_ error: YAMLError, in part: TextScan.Part) {
        let trouble = SyntaxTrouble(error)
        findings.report(
            trouble.message, fix: trouble.fix,
            at: trouble.mark.map { place($0, in: part) }
                ?? SourcePlace(file: path, line: part.firstLine, column: 1))
    }
}
