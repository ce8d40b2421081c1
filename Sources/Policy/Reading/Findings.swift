/// The mistakes that one reading has found so far.
struct Findings {
    /// A file of nothing but mistakes must not fill the memory with complaints.
    static let greatestCount = 500

    private(set) var diagnostics: [Diagnostic] = []

    var isEmpty: Bool { diagnostics.isEmpty }

    /// Whether nothing more will be noted.
    var isFull: Bool { diagnostics.count > Self.greatestCount }

    mutating func report(_ message: String, fix: String, at place: SourcePlace) {
        guard !isFull else { return }
        guard diagnostics.count < Self.greatestCount else {
            diagnostics.append(
                Diagnostic(
                    "more than \(Self.greatestCount) mistakes; the rest isn't shown",
                    fix: "mend the ones above first", at: place))
            return
        }
        diagnostics.append(Diagnostic(message, fix: fix, at: place))
    }
}

extension String {
    /// The text as messages show it: quoted, on one line, not endless, with invisible characters
    /// by their numbers.
    var quoted: String {
        let shown = unicodeScalars.prefix(61).map { scalar in
            scalar.value < 0x20 || scalar.value == 0x7f
                ? "?" : scalar.isInvisible ? "<\(scalar.number)>" : String(scalar)
        }
        return "'" + shown.prefix(60).joined() + (shown.count > 60 ? "…" : "") + "'"
    }
}

extension Sequence<String> {
    /// `a`, `a or b`, `a, b or c`.
    var alternatives: String {
        let words = Array(self)
        guard let last = words.last, words.count > 1 else { return words.first ?? "" }
        return words.dropLast().joined(separator: ", ") + " or " + last
    }
}

extension Unicode.Scalar {
    /// Whether an editor shows it as a blank or not at all, though YAML takes it for text.
    var isInvisible: Bool {
        switch value {
        case 0xa0, 0xad, 0x1680, 0x2000...0x200f, 0x2028...0x202f, 0x205f...0x206f, 0x3000, 0xfeff:
            true
        default: false
        }
    }

    /// Such as `U+00A0`.
    var number: String {
        let digits = String(value, radix: 16, uppercase: true)
        return "U+" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
    }
}
