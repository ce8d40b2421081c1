extension Sequence<String> {
    /// The word that a typing mistake would turn into `word`, if one is near enough.
    ///
    /// Of equally near ones it is the first in alphabetical order, so that messages don't depend on
    /// the order of a dictionary.
    public func nearest(to word: String) -> String? {
        guard word.utf8.count <= 64 else { return nil }
        let typed = Array(word.lowercased().utf8)
        let limit = Swift.max(1, typed.count / 3)
        let ranked = filter { abs($0.utf8.count - typed.count) <= limit }
            .map { (distance: editDistance(typed, Array($0.lowercased().utf8)), word: $0) }
            .filter { $0.distance <= limit }
        return ranked.min { ($0.distance, $0.word) < ($1.distance, $1.word) }?.word
    }
}

/// How many letters must be added, dropped, changed or swapped with their neighbour (the restricted
/// Damerau-Levenshtein distance).
private func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    var older = [Int](repeating: 0, count: right.count + 1)
    var old = Array(0...right.count)
    for i in left.indices {
        var row = [i + 1]
        for j in right.indices {
            var best = Swift.min(old[j + 1] + 1, row[j] + 1, old[j] + (left[i] == right[j] ? 0 : 1))
            if i > 0, j > 0, left[i] == right[j - 1], left[i - 1] == right[j] {
                best = Swift.min(best, older[j - 1] + 1)
            }
            row.append(best)
        }
        (older, old) = (old, row)
    }
    return old[right.count]
}
