import NetTypes

/// A report that people can read on a terminal, and spreadsheets as one table.
public protocol TextReport {
    /// The report in lines; tables are cut to the width where there is one.
    func text(_ form: TextForm) -> String

    /// One flat table.
    var csv: CSV { get }
}

extension TextReport {
    /// The report in lines, without colours.
    public func text(width: Int?) -> String { text(TextForm(width: width)) }
}

/// Puts a title over a table, or says that there is nothing.
func section(_ title: String, _ table: Table, _ form: TextForm, none: String) -> String {
    table.cells.isEmpty ? "\(title): \(none)\n" : "\(title):\n" + table.text(form)
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
