/// A pattern for names as in glob(7): `*`, `?`, `[a-z]` and `[!a-z]`.
///
/// There are no escapes and no character classes: policy files don't admit them.
struct Glob {
    private enum Part {
        case one(Unicode.Scalar)
        case anyOne
        case anyNumber
        case oneOf([ClosedRange<Unicode.Scalar>], isNegated: Bool)
    }

    private let parts: [Part]

    /// Reads a pattern; nil if a bracket isn't closed or holds another one.
    init?(_ pattern: String) {
        var parts: [Part] = []
        var rest = pattern.unicodeScalars[...]
        while let scalar = rest.popFirst() {
            switch scalar {
            case "*": parts.append(.anyNumber)
            case "?": parts.append(.anyOne)
            case "[":
                guard let set = Self.bracket(&rest) else { return nil }
                parts.append(set)
            default: parts.append(.one(scalar))
            }
        }
        self.parts = parts
    }

    /// Whether the pattern stands for one name only.
    static func isLiteral(_ pattern: String) -> Bool {
        !pattern.utf8.contains { "*?[".utf8.contains($0) }
    }

    /// Whether the whole name fits; time is at most the product of both lengths.
    func matches(_ name: String) -> Bool {
        let name = Array(name.unicodeScalars)
        var (part, index) = (0, 0)
        // Where to go on if the last `*` has to take one character more.
        var retry: (part: Int, index: Int)?
        while index < name.count {
            if part < parts.count, case .anyNumber = parts[part] {
                retry = (part + 1, index)
                part += 1
            } else if part < parts.count, Self.fits(parts[part], name[index]) {
                (part, index) = (part + 1, index + 1)
            } else if let last = retry {
                retry = (last.part, last.index + 1)
                (part, index) = (last.part, last.index + 1)
            } else {
                return false
            }
        }
        return parts[part...].allSatisfy { if case .anyNumber = $0 { true } else { false } }
    }

    private static func fits(_ part: Part, _ scalar: Unicode.Scalar) -> Bool {
        switch part {
        case .one(let own): own == scalar
        case .anyOne: true
        case .anyNumber: false
        case .oneOf(let ranges, let isNegated):
            ranges.contains { $0.contains(scalar) } != isNegated
        }
    }

    private static func bracket(_ rest: inout Substring.UnicodeScalarView) -> Part? {
        var isNegated = false
        if rest.first == "!" {
            rest.removeFirst()
            isNegated = true
        }
        // A `]` right at the start is a member.
        guard let first = rest.popFirst(), let end = rest.firstIndex(of: "]") else { return nil }
        let members = [first] + rest[..<end]
        rest = rest[rest.index(after: end)...]
        return members.contains("[") ? nil : .oneOf(ranges(of: members), isNegated: isNegated)
    }

    private static func ranges(of members: [Unicode.Scalar]) -> [ClosedRange<Unicode.Scalar>] {
        var ranges: [ClosedRange<Unicode.Scalar>] = []
        var index = 0
        while index < members.count {
            let isRange = index + 2 < members.count && members[index + 1] == "-"
            let last = isRange ? members[index + 2] : members[index]
            // A reversed range has no members, as in glob(7).
            if members[index] <= last { ranges.append(members[index]...last) }
            index += isRange ? 3 : 1
        }
        return ranges
    }
}
