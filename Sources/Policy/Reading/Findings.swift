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
    /// The text as messages show it: quoted, on one line, not endless.
    var quoted: String {
        let shown = unicodeScalars.prefix(61).map { scalar in
            scalar.value < 0x20 || scalar.value == 0x7f ? "?" : String(scalar)
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
