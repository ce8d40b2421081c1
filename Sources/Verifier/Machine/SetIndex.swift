internal import NetTypes

/// A set as the machine looks into it.
struct SetIndex {
    let set: NamedSet
    /// Where the parts of a key stand, and how long they are.
    let parts: [(offset: Int, length: Int)]
    /// For each part, for each element: the lowest and the highest value.
    let bounds: [[ClosedRange<UInt128>]]
    /// Elements by what they mean; equal numbers mean the same.
    let meaning: [Int]
    /// One element of each meaning.
    let examples: [Int]
    /// For sets of one part: which keys have which meaning.
    let keys: [IntervalSet<UInt128>]
    let catchAll: Int?
    /// How long the values of a map are; 0 where they differ, or are no data that fit a number.
    let dataLength: Int
    /// For concatenations: the elements whose first part is exactly a value.
    private let byFirst: [UInt128: [Int]]
    private let withRange: [Int]
    /// For sets of one part: elements in the order of their keys.
    private let order: [Int]

    /// Parts that the kernel doesn't tell are those that rules load.
    init(_ set: NamedSet, parts loaded: [KeyLayouts.Part]? = nil) {
        self.set = set
        let parts = loaded ?? Self.parts(set)
        self.parts = parts
        catchAll = set.elements.firstIndex(where: \.isCatchAll)
        dataLength = Self.dataLength(set)
        bounds = parts.map { offset, length in
            set.elements.map { element in
                let low = UInt128(networkBytes: element.low.dropFirst(offset).prefix(length))
                let high = UInt128(networkBytes: element.high.dropFirst(offset).prefix(length))
                return low...max(low, high)
            }
        }
        var meanings: [Meaning: Int] = [:]
        var examples: [Int] = []
        var meaning: [Int] = []
        for (index, element) in set.elements.enumerated() {
            let key = Meaning(element)
            if let known = meanings[key] {
                meaning.append(known)
            } else {
                meanings[key] = examples.count
                meaning.append(examples.count)
                examples.append(index)
            }
        }
        self.meaning = meaning
        self.examples = examples
        let listed = set.elements.indices.filter { !set.elements[$0].isCatchAll }
        (keys, order) = Self.single(listed, bounds, meaning, examples.count)
        (byFirst, withRange) = Self.firsts(listed, bounds)
    }

    private static func parts(_ set: NamedSet) -> [KeyLayouts.Part] {
        if set.fields.isEmpty, set.keyLength > 16 {
            return stride(from: 0, to: set.keyLength, by: 4)
                .map { ($0, min(4, set.keyLength - $0)) }
        }
        var parts: [KeyLayouts.Part] = []
        var offset = 0
        for length in set.fields.isEmpty ? [set.keyLength] : set.fields {
            parts.append((offset, length))
            offset += (length + 3) & ~3
        }
        return parts
    }

    /// What an element says, whoever it stands for.
    private struct Meaning: Hashable {
        let value: NamedSet.Value
        let expires: Bool
        let matchesSometimes: Bool

        init(_ element: NamedSet.Element) {
            value = element.value
            expires = element.expires
            matchesSometimes = element.matchesSometimes
        }
    }

    private static func dataLength(_ set: NamedSet) -> Int {
        for element in set.elements {
            if case .data(let data) = element.value { return data.count > 16 ? 0 : data.count }
        }
        return 0
    }

    private static func single(
        _ listed: [Int], _ bounds: [[ClosedRange<UInt128>]], _ meaning: [Int], _ count: Int
    ) -> (keys: [IntervalSet<UInt128>], order: [Int]) {
        guard bounds.count == 1 else { return ([], []) }
        var ranges = [[ClosedRange<UInt128>]](repeating: [], count: count)
        for index in listed { ranges[meaning[index]].append(bounds[0][index]) }
        let order = listed.sorted { bounds[0][$0].lowerBound < bounds[0][$1].lowerBound }
        return (ranges.map { IntervalSet($0) }, order)
    }

    private static func firsts(
        _ listed: [Int], _ bounds: [[ClosedRange<UInt128>]]
    ) -> (exact: [UInt128: [Int]], ranges: [Int]) {
        guard bounds.count > 1 else { return ([:], []) }
        var exact: [UInt128: [Int]] = [:]
        var ranges: [Int] = []
        for index in listed {
            let range = bounds[0][index]
            if range.lowerBound == range.upperBound {
                exact[range.lowerBound, default: []].append(index)
            } else {
                ranges.append(index)
            }
        }
        return (exact, ranges)
    }

    /// The elements whose first part may be the value, in their order.
    func candidates(first value: UInt128) -> [Int] {
        let exact = byFirst[value] ?? []
        let ranged = withRange.filter { bounds[0][$0].contains(value) }
        return ranged.isEmpty ? exact : (exact + ranged).sorted()
    }

    /// The element of a set of one part that holds a key.
    func element(with key: UInt128) -> Int? {
        var (low, high) = (0, order.count)
        while low < high {
            let middle = (low + high) / 2
            if bounds[0][order[middle]].upperBound < key { low = middle + 1 } else { high = middle }
        }
        return low < order.count && bounds[0][order[low]].contains(key) ? order[low] : nil
    }

    var listed: [Int] { self.set.elements.indices.filter { !self.set.elements[$0].isCatchAll } }

    /// Cuts ranges where one begins or ends: disjoint pieces with the elements that cover them.
    func segments(
        _ depth: Int, _ candidates: [Int]
    ) -> [(range: ClosedRange<UInt128>, active: [Int])] {
        let bounds = bounds[depth]
        let sorted = candidates.sorted { bounds[$0].lowerBound < bounds[$1].lowerBound }
        let isDisjoint = zip(sorted, sorted.dropFirst()).allSatisfy {
            bounds[$0].upperBound < bounds[$1].lowerBound
        }
        if isDisjoint { return sorted.map { (bounds[$0], [$0]) } }
        var cuts: Set<UInt128> = []
        for index in candidates {
            cuts.insert(bounds[index].lowerBound)
            if bounds[index].upperBound < .max { cuts.insert(bounds[index].upperBound + 1) }
        }
        let starts = cuts.sorted()
        return starts.enumerated().compactMap { number, start in
            let end = number + 1 < starts.count ? starts[number + 1] - 1 : UInt128.max
            let active = candidates.filter { bounds[$0].contains(start) }
            return active.isEmpty ? nil : (start...end, active)
        }
    }
}
