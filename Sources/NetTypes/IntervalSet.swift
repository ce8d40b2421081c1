/// A set of whole numbers kept as sorted ranges that neither overlap nor touch.
///
/// Its code can be seen by other modules, so that they get it compiled for their own numbers: the
/// audit spends its time here.
public struct IntervalSet<Number: FixedWidthInteger & UnsignedInteger & Sendable>: Hashable,
    Sendable
{
    /// The ranges in ascending order.
    @inlinable public var ranges: [ClosedRange<Number>] { sorted }

    @usableFromInline var sorted: [ClosedRange<Number>]

    /// The empty set.
    @inlinable public init() { sorted = [] }

    /// One range.
    @inlinable public init(_ range: ClosedRange<Number>) { sorted = [range] }

    /// The union of ranges in any order, overlapping or not.
    @inlinable public init(_ unordered: some Sequence<ClosedRange<Number>>) {
        sorted = []
        for range in unordered.sorted(by: { $0.lowerBound < $1.lowerBound }) { append(range) }
    }

    /// Every number there is.
    @inlinable public static var all: IntervalSet { IntervalSet(Number.min...Number.max) }

    @inlinable public var isEmpty: Bool { ranges.isEmpty }

    /// Adds a range that starts no lower than the last one did.
    @inlinable mutating func append(_ range: ClosedRange<Number>) {
        guard let last = ranges.last else { return sorted.append(range) }
        let touches = last.upperBound == .max || range.lowerBound <= last.upperBound + 1
        guard touches else { return sorted.append(range) }
        sorted[sorted.count - 1] =
            last.lowerBound...Swift.max(last.upperBound, range.upperBound)
    }

    @inlinable public func contains(_ number: Number) -> Bool {
        let index = first(reaching: number)
        return index < ranges.count && ranges[index].contains(number)
    }

    /// Whether any number of a range is in the set.
    @inlinable public func meets(_ range: ClosedRange<Number>) -> Bool {
        let index = first(reaching: range.lowerBound)
        return index < ranges.count && ranges[index].lowerBound <= range.upperBound
    }

    /// The place of the first range that ends at a number or beyond.
    @inlinable func first(reaching number: Number) -> Int {
        var (low, high) = (0, ranges.count)
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound < number { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The numbers of either set, in a time that grows with the number of ranges.
    @inlinable public func union(_ other: IntervalSet) -> IntervalSet {
        if isEmpty { return other }
        if other.isEmpty { return self }
        var result = IntervalSet()
        result.sorted.reserveCapacity(sorted.count + other.sorted.count)
        var (left, right) = (0, 0)
        while left < sorted.count || right < other.sorted.count {
            let isLeft =
                right == other.sorted.count
                || left < sorted.count
                    && sorted[left].lowerBound <= other.sorted[right].lowerBound
            result.append(isLeft ? sorted[left] : other.sorted[right])
            if isLeft { left += 1 } else { right += 1 }
        }
        return result
    }

    /// The numbers outside the set.
    @inlinable public var complement: IntervalSet {
        var result = IntervalSet()
        var next = Number.min
        for range in ranges {
            if range.lowerBound > next { result.sorted.append(next...(range.lowerBound - 1)) }
            if range.upperBound == .max { return result }
            next = range.upperBound + 1
        }
        result.sorted.append(next...Number.max)
        return result
    }

    @inlinable public func intersection(_ other: IntervalSet) -> IntervalSet {
        var result = IntervalSet()
        var (left, right) = (0, 0)
        while left < ranges.count, right < other.ranges.count {
            let low = Swift.max(ranges[left].lowerBound, other.ranges[right].lowerBound)
            let high = Swift.min(ranges[left].upperBound, other.ranges[right].upperBound)
            if low <= high { result.sorted.append(low...high) }
            if ranges[left].upperBound < other.ranges[right].upperBound {
                left += 1
            } else {
                right += 1
            }
        }
        return result
    }

    @inlinable public func subtracting(_ other: IntervalSet) -> IntervalSet {
        if other.isEmpty || isEmpty { return self }
        var result = IntervalSet()
        var right = 0
        for range in ranges {
            var next = range.lowerBound
            while right < other.ranges.count, other.ranges[right].upperBound < next { right += 1 }
            var index = right
            var isUsedUp = false
            while index < other.ranges.count, other.ranges[index].lowerBound <= range.upperBound {
                let hole = other.ranges[index]
                if hole.lowerBound > next { result.sorted.append(next...(hole.lowerBound - 1)) }
                isUsedUp = hole.upperBound >= range.upperBound
                if isUsedUp { break }
                next = hole.upperBound + 1
                index += 1
            }
            if !isUsedUp { result.sorted.append(next...range.upperBound) }
            right = index
        }
        return result
    }
}
