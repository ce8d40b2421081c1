import Reports

extension String {
    /// The text as content or as a quoted attribute of HTML and XML.
    ///
    /// Controls and characters that hide or turn others are shown as their numbers; XML has no
    /// other way to write most of them.
    var escaped: String {
        printable.unicodeScalars.reduce(into: "") { text, scalar in
            switch scalar {
            case "&": text += "&amp;"
            case "<": text += "&lt;"
            case ">": text += "&gt;"
            case "\"": text += "&quot;"
            case "'": text += "&#39;"
            default: text.unicodeScalars.append(scalar)
            }
        }
    }
}

/// `1 rule`, `2 rules`.
func count(_ number: some BinaryInteger, _ noun: String) -> String {
    "\(number) \(noun)" + (number == 1 ? "" : "s")
}
