internal import NetTypes

/// Disjoint ranges of numbers, each of which stands for something that has a place in a list.
struct RangeTable {
    /// In ascending order.
    let segments: [Segment]

    struct Segment {
        let range: ClosedRange<UInt128>
        let place: Int
    }

    /// Numbers that stand for the same.
    struct Part {
        let place: Int
        let numbers: IntervalSet<UInt128>
    }

    /// Segments in any order that don't overlap.
    init(disjoint segments: [Segment]) {
        self.segments = segments.sorted { $0.range.lowerBound < $1.range.lowerBound }
    }

    /// Where ranges overlap, the lowest place holds.
    init(lowestOf claims: [Segment]) {
        self.init(sweeping: claims) { $0.first }
    }

    /// Cuts ranges where one begins or ends, and keeps what is chosen of the ascending places that
    /// cover a piece; nil is nothing.
    init(sweeping claims: [Segment], choose: ([Int]) -> Int?) {
        var edges: [(at: UInt128, place: Int, opens: Bool)] = []
        edges.reserveCapacity(2 * claims.count)
        for claim in claims {
            edges.append((claim.range.lowerBound, claim.place, true))
            if claim.range.upperBound < .max {
                edges.append((claim.range.upperBound + 1, claim.place, false))
            }
        }
        edges.sort { $0.at < $1.at }
        var segments: [Segment] = []
        var active: [Int] = []
        var next = 0
        while next < edges.count {
            let start = edges[next].at
            while next < edges.count, edges[next].at == start {
                let place = edges[next].place
                let index = active.firstIndex { $0 >= place } ?? active.count
                if edges[next].opens {
                    active.insert(place, at: index)
                } else if index < active.count, active[index] == place {
                    active.remove(at: index)
                }
                next += 1
            }
            guard !active.isEmpty, let chosen = choose(active) else { continue }
            let end = next < edges.count ? edges[next].at - 1 : UInt128.max
            if let last = segments.last, last.place == chosen, last.range.upperBound + 1 == start {
                segments[segments.count - 1] = Segment(
                    range: last.range.lowerBound...end, place: chosen)
            } else {
                segments.append(Segment(range: start...end, place: chosen))
            }
        }
        self.segments = segments
    }

    /// Cuts numbers by what they stand for, in the order of the places, and tells those that stand
    /// for nothing.
    func parts(of numbers: IntervalSet<UInt128>) -> (found: [Part], rest: IntervalSet<UInt128>) {
        var found: [Segment] = []
        var rest: [ClosedRange<UInt128>] = []
        for range in numbers.ranges {
            var next = range.lowerBound
            var isUsedUp = false
            var index = first(reaching: range.lowerBound)
            while index < segments.count, segments[index].range.lowerBound <= range.upperBound {
                let segment = segments[index]
                let low = max(segment.range.lowerBound, next)
                let high = min(segment.range.upperBound, range.upperBound)
                if low > next { rest.append(next...(low - 1)) }
                found.append(Segment(range: low...high, place: segment.place))
                isUsedUp = high == range.upperBound
                if isUsedUp { break }
                next = high + 1
                index += 1
            }
            if !isUsedUp { rest.append(next...range.upperBound) }
        }
        return (Self.grouped(found), IntervalSet(rest))
    }

    private static func grouped(_ found: [Segment]) -> [Part] {
        if found.count == 1 {
            return [Part(place: found[0].place, numbers: IntervalSet(found[0].range))]
        }
        let sorted = found.sorted {
            ($0.place, $0.range.lowerBound) < ($1.place, $1.range.lowerBound)
        }
        var parts: [Part] = []
        var start = 0
        for index in sorted.indices {
            if index + 1 < sorted.count, sorted[index + 1].place == sorted[start].place { continue }
            parts.append(
                Part(
                    place: sorted[start].place,
                    numbers: IntervalSet(sorted[start...index].lazy.map(\.range))))
            start = index + 1
        }
        return parts
    }

    /// What a number stands for.
    func place(of number: UInt128) -> Int? {
        let index = first(reaching: number)
        guard index < segments.count, segments[index].range.contains(number) else { return nil }
        return segments[index].place
    }

    private func first(reaching number: UInt128) -> Int {
        var (low, high) = (0, segments.count)
        while low < high {
            let middle = (low + high) / 2
            if segments[middle].range.upperBound < number {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return low
    }
}
