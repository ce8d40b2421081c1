public import Reports

extension ChainReport: TextReport {
    public func text(_ form: TextForm) -> String {
        var lines = problems.map { "line \($0.line): \($0.message)".printable }
        let period = first.flatMap { first in last.map { ", \(first) to \($0)" } } ?? ""
        lines.append("\(count(records, "record"))\(period)")
        if signed > 0 {
            lines.append("\(signed) signed by \(keys.joined(separator: ", "))")
            if !isKeyKnown {
                lines.append("whose key that is was not checked: give --public-key")
            }
        } else {
            lines.append("no record is signed: whoever can write the file can make another chain")
        }
        lines.append("last hash \(head)")
        for (name, sequence) in reports.sorted(by: { $0.key < $1.key }) where sequence > 0 {
            lines.append("\(name.printable) is the evidence of record \(sequence)")
        }
        lines.append(
            isSound
                ? "the chain is intact" : "the chain is broken: \(count(problems.count, "problem"))"
        )
        return lines.map { $0 + "\n" }.joined()
    }

    /// A row for each problem.
    public var csv: CSV {
        var csv = CSV(["line", "message"])
        for problem in problems { csv.append(["\(problem.line)", problem.message]) }
        return csv
    }
}
