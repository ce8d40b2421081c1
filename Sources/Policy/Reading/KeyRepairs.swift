import Yams

/// Makes keys that stand twice different, so that the rest of their document can be read as well.
///
/// The composer gives up at the first such key and names only its first place. A key whose first
/// character is replaced keeps its place and its length, and is called by its old name afterwards.
struct KeyRepairs {
    private struct Position: Hashable {
        let line: Int
        let column: Int
    }

    private(set) var text: String
    private var names: [Position: String] = [:]

    private let greatestCount: Int

    init(_ text: String, greatestCount: Int) {
        self.text = text
        self.greatestCount = greatestCount
    }

    /// Replaces the key's first character by one that nobody writes; false if that can't be done
    /// or was done often enough.
    mutating func rename(_ key: String, at mark: Mark) -> Bool {
        let position = Position(line: mark.line, column: mark.column)
        guard names.count < greatestCount, !key.isEmpty, names[position] == nil,
            let index = index(of: position),
            let substitute = Unicode.Scalar(UInt32(0xe000 + names.count))
        else { return false }
        names[position] = key
        text.unicodeScalars.replaceSubrange(index...index, with: [substitute])
        return true
    }

    /// The key as it was written.
    func original(_ key: String, at mark: Mark) -> String {
        names.isEmpty ? key : names[Position(line: mark.line, column: mark.column)] ?? key
    }

    private func index(of position: Position) -> String.Index? {
        let scalars = text.unicodeScalars
        var index = scalars.startIndex
        for _ in 1..<position.line {
            guard let end = scalars[index...].firstIndex(of: "\n") else { return nil }
            index = scalars.index(after: end)
        }
        guard
            var found = scalars.index(
                index, offsetBy: position.column - 1, limitedBy: scalars.endIndex)
        else { return nil }
        if found < scalars.endIndex, scalars[found] == "\"" || scalars[found] == "'" {
            found = scalars.index(after: found)
        }
        return found < scalars.endIndex ? found : nil
    }
}
