extension String {
    /// The text with everything escaped that could move a cursor, hide or reorder other text.
    ///
    /// Names come from namespaces and files that tenants may write to.
    public var printable: String {
        guard unicodeScalars.contains(where: \.isHostile) else { return self }
        // An error's own line break before its fix is no attack, and a table has one line for it.
        return replacing("\n  fix: ", with: "; fix: ").unicodeScalars.reduce(into: "") {
            text, scalar in
            if scalar.isHostile {
                text += "\\u{" + String(scalar.value, radix: 16) + "}"
            } else {
                text.unicodeScalars.append(scalar)
            }
        }
    }
}

extension Unicode.Scalar {
    /// Controls, format characters such as the ones that turn the direction of writing, line
    /// separators, and whatever has no fixed meaning.
    fileprivate var isHostile: Bool {
        switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate,
            .unassigned:
            true
        default: false
        }
    }
}
