extension Character {
    /// How many columns of a terminal the character takes: 0 to 2.
    var columns: Int {
        if let ascii = asciiValue { return ascii < 0x20 || ascii == 0x7f ? 0 : 1 }
        return unicodeScalars.map(\.columns).max() ?? 0
    }
}

extension Unicode.Scalar {
    /// As terminals count: combining marks take none, East Asian wide ones and emoji take two.
    fileprivate var columns: Int {
        switch properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .control, .format: return 0
        default: break
        }
        if (0x1160...0x11ff).contains(value) { return 0 }
        if properties.isEmojiPresentation || value == 0xfe0f { return 2 }
        return Self.wide.contains { $0.contains(value) } ? 2 : 1
    }

    /// The blocks whose characters Unicode's annex 11 calls wide or full-width; emoji aside.
    private static let wide: [ClosedRange<UInt32>] = [
        0x1100...0x115f, 0x2329...0x232a, 0x2e80...0x303e, 0x3041...0x33ff, 0x3400...0x4dbf,
        0x4e00...0xa4cf, 0xa960...0xa97f, 0xac00...0xd7a3, 0xf900...0xfaff, 0xfe10...0xfe19,
        0xfe30...0xfe6f, 0xff01...0xff60, 0xffe0...0xffe6, 0x16fe0...0x18dff, 0x1aff0...0x1b2ff,
        0x1f200...0x1f265, 0x20000...0x3fffd,
    ]
}

extension String {
    /// How many columns of a terminal the text takes.
    public var columns: Int { reduce(0) { $0 + $1.columns } }

    /// Which end of a text may go where there is no room for all of it.
    enum Side: Hashable, Sendable {
        case start
        case end
    }

    /// At most so many columns of the text; `…` stands for what is missing.
    func cut(to width: Int, at side: Side = .end) -> String {
        guard columns > width else { return self }
        var room = Swift.max(0, width - 1)
        let kept = (side == .end ? Array(self) : reversed()).prefix { character in
            room -= character.columns
            return room >= 0
        }
        return side == .end ? String(kept) + "…" : "…" + String(kept.reversed())
    }
}
