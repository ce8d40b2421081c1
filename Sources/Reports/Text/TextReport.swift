/// A report that people can read on a terminal.
public protocol TextReport {
    /// The report in lines; tables are cut to the width where there is one.
    func text(width: Int?) -> String
}

/// Puts a title over a table, or says that there is nothing.
func section(_ title: String, _ table: Table, width: Int?, none: String) -> String {
    table.rows.isEmpty ? "\(title): \(none)\n" : "\(title):\n" + table.text(width: width)
}

/// `1 rule`, `2 rules`.
func count(_ number: some BinaryInteger, _ noun: String, plural: String? = nil) -> String {
    "\(number) " + (number == 1 ? noun : plural ?? noun + "s")
}

/// Milliseconds with two decimals, without the help of a locale.
func milliseconds(_ value: Double) -> String {
    guard value.isFinite, value.magnitude < 1e15 else { return "? ms" }
    let hundredths = Int64((value.magnitude * 100).rounded())
    let (whole, fraction) = hundredths.flooredDivision(by: 100)
    return (value < 0 ? "-" : "") + "\(whole).\(fraction.padded(2)) ms"
}
