internal import NetTypes

/// How the keys of the sets of a ruleset part: found once, and the same for every kind of packet.
struct LookupMemo {
    private(set) var images: [Image] = []
    private var wholes: [Whole: [KeyGroup]?] = [:]
    private var parts: [Part: [KeyGroup]?] = [:]
    private var answers: [Answer: [(element: Int?, keys: IntervalSet<UInt128>)]] = [:]

    /// A set of one part, by the order of the key's bytes.
    private struct Whole: Hashable {
        let set: Int
        let isReversed: Bool
        let width: Int
    }

    /// A part of a concatenation, with the elements that the parts before have left.
    private struct Part: Hashable {
        let set: Int
        let depth: Int
        let isReversed: Bool
        let width: Int
        let candidates: [Int]
    }

    /// What the values of an image find in a set.
    private struct Answer: Hashable {
        let image: Int
        let set: Int
        let isReversed: Bool
        let width: Int
    }

    /// The groups of keys of a set of one part; nil where the order of bytes can't be turned.
    mutating func groups(
        _ set: Int, _ index: SetIndex, isReversed: Bool, width: Int
    ) -> [KeyGroup]? {
        let key = Whole(set: set, isReversed: isReversed, width: width)
        if let known = wholes[key] { return known }
        var groups: [([Int], IntervalSet<UInt128>)] = []
        for (meaning, keys) in index.keys.enumerated() where !keys.isEmpty {
            guard let keys = isReversed ? keys.reversed(bytes: width) : keys else {
                wholes[key] = .some(nil)
                return nil
            }
            groups.append(([index.examples[meaning]], keys))
        }
        let found = joined(groups, index)
        wholes[key] = found
        return found
    }

    /// The groups of keys of a part: by the elements that they leave, at the last part by what the
    /// first of these means.
    mutating func groups(
        _ set: Int, _ index: SetIndex, depth: Int, _ candidates: [Int], isReversed: Bool,
        width: Int
    ) -> [KeyGroup]? {
        let key = Part(
            set: set, depth: depth, isReversed: isReversed, width: width, candidates: candidates)
        if let known = parts[key] { return known }
        let isLast = depth == index.parts.count - 1
        var ranges: [[Int]: [ClosedRange<UInt128>]] = [:]
        var order: [[Int]] = []
        for (range, active) in index.segments(depth, candidates) {
            var own = [range]
            if isReversed {
                guard let turned = IntervalSet(range).reversed(bytes: width) else {
                    parts[key] = .some(nil)
                    return nil
                }
                own = turned.ranges
            }
            let members = isLast ? [index.examples[index.meaning[active[0]]]] : active
            if ranges[members] == nil { order.append(members) }
            ranges[members, default: []] += own
        }
        let groups = order.map { ($0, IntervalSet(ranges[$0] ?? [])) }
        let found = isLast ? joined(groups, index) : groups.map { KeyGroup($0, $1) }
        parts[key] = found
        return found
    }

    /// Makes one group of those whose elements only differ in the value that they give.
    private mutating func joined(
        _ groups: [([Int], IntervalSet<UInt128>)], _ index: SetIndex
    ) -> [KeyGroup] {
        var pieces: [Image.Piece] = []
        var members: [Int] = []
        var others: [KeyGroup] = []
        for (group, keys) in groups {
            let element = index.set.elements[group[0]]
            guard case .data(let data) = element.value, data.count == index.dataLength,
                !element.expires, !element.matchesSometimes
            else {
                others.append(KeyGroup(group, keys))
                continue
            }
            members += group
            pieces.append(
                Image.Piece(value: UInt128(networkBytes: data), keys: keys, element: group[0]))
        }
        guard pieces.count > 1, images.count < Machine.imageLimit else {
            return groups.map { KeyGroup($0, $1) }
        }
        images.append(Image(pieces))
        let all = IntervalSet(pieces.flatMap(\.keys.ranges))
        return [KeyGroup([members[0]], all, image: images.count - 1)] + others
    }

    /// What the values of an image find in a set of one part; nil is no element.
    mutating func answers(
        _ image: Int, _ set: Int, _ index: SetIndex, isReversed: Bool, width: Int
    ) -> [(element: Int?, keys: IntervalSet<UInt128>)] {
        let key = Answer(image: image, set: set, isReversed: isReversed, width: width)
        if let known = answers[key] { return known }
        var ranges: [Int: [ClosedRange<UInt128>]] = [:]
        for piece in images[image].all {
            let value = isReversed ? piece.value.reversed(bytes: width) : piece.value
            let meaning = index.element(with: value).map { index.meaning[$0] } ?? -1
            ranges[meaning, default: []] += piece.keys.ranges
        }
        let found = ranges.sorted { $0.key < $1.key }.map { meaning, ranges in
            (meaning < 0 ? nil : index.examples[meaning], IntervalSet(ranges))
        }
        answers[key] = found
        return found
    }
}

/// Keys that leave the same elements.
struct KeyGroup {
    let members: [Int]
    let keys: IntervalSet<UInt128>
    /// The image that they have, where they are of elements with several values.
    let image: Int?

    init(_ members: [Int], _ keys: IntervalSet<UInt128>, image: Int? = nil) {
        self.members = members
        self.keys = keys
        self.image = image
    }
}
