/// The live rules of an endpoint by their marks.
///
/// A host may hold two hundred thousand of them: they stand in one sorted array without gaps.
public struct RuleTable: Hashable, Sendable {
    /// A rule with its mark.
    public struct Entry: Hashable, Sendable {
        // In this order an entry takes 32 bytes.
        public let rule: LiveRule
        public let mark: Mark

        public init(mark: Mark, rule: LiveRule) {
            self.mark = mark
            self.rule = rule
        }
    }

    /// In the order of the marks.
    public private(set) var entries: [Entry]

    public init() { entries = [] }

    /// Entries in any order; of two with one mark the later stays.
    public init(_ unordered: some Sequence<(mark: Mark, rule: LiveRule)>) {
        // The sort is stable.
        let sorted = unordered.map { Entry(mark: $0.mark, rule: $0.rule) }
            .sorted { $0.mark < $1.mark }
        entries = []
        entries.reserveCapacity(sorted.count)
        for entry in sorted {
            if entries.last?.mark == entry.mark { entries.removeLast() }
            entries.append(entry)
        }
    }

    public var count: Int { entries.count }
    public var isEmpty: Bool { entries.isEmpty }
    public var marks: [Mark] { entries.map(\.mark) }

    public subscript(_ mark: Mark) -> LiveRule? {
        let index = entries.partition(before: mark)
        guard index < entries.count, entries[index].mark == mark else { return nil }
        return entries[index].rule
    }
}

extension RuleTable: ExpressibleByDictionaryLiteral {
    public init(dictionaryLiteral elements: (Mark, LiveRule)...) {
        self.init(elements.map { (mark: $0.0, rule: $0.1) })
    }
}

extension [RuleTable.Entry] {
    /// The index of the first entry whose mark is not lower.
    fileprivate func partition(before mark: Mark) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if self[middle].mark < mark { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
