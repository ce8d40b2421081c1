/// A set of whole numbers kept as sorted ranges that neither overlap nor touch.
public struct IntervalSet<Number: FixedWidthInteger & UnsignedInteger & Sendable>: Hashable,
    Sendable
{
    /// The ranges in ascending order.
    public private(set) var ranges: [ClosedRange<Number>]

    /// The empty set.
    public init() { ranges = [] }

    /// One range.
    public init(_ range: ClosedRange<Number>) { ranges = [range] }

    /// The union of ranges in any order, overlapping or not.
    public init(_ unordered: some Sequence<ClosedRange<Number>>) {
        ranges = []
        for range in unordered.sorted(by: { $0.lowerBound < $1.lowerBound }) { append(range) }
    }

    /// Every number there is.
    public static var all: IntervalSet { IntervalSet(Number.min...Number.max) }

    public var isEmpty: Bool { ranges.isEmpty }

    /// Adds a range that starts no lower than the last one did.
    private mutating func append(_ range: ClosedRange<Number>) {
        guard let last = ranges.last else { return ranges.append(range) }
        let touches = last.upperBound == .max || range.lowerBound <= last.upperBound + 1
        guard touches else { return ranges.append(range) }
        ranges[ranges.count - 1] =
            last.lowerBound...Swift.max(last.upperBound, range.upperBound)
    }

    public func contains(_ number: Number) -> Bool {
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound < number { low = middle + 1 } else { high = middle }
        }
        return low < ranges.count && ranges[low].contains(number)
    }

    public func union(_ other: IntervalSet) -> IntervalSet {
        if isEmpty { return other }
        return other.isEmpty ? self : IntervalSet(ranges + other.ranges)
    }

    /// The numbers outside the set.
    public var complement: IntervalSet {
        var result = IntervalSet()
        var next = Number.min
        for range in ranges {
            if range.lowerBound > next { result.ranges.append(next...(range.lowerBound - 1)) }
            if range.upperBound == .max { return result }
            next = range.upperBound + 1
        }
        result.ranges.append(next...Number.max)
        return result
    }

    public func intersection(_ other: IntervalSet) -> IntervalSet {
        var result = IntervalSet()
        var (left, right) = (0, 0)
        while left < ranges.count, right < other.ranges.count {
            let low = Swift.max(ranges[left].lowerBound, other.ranges[right].lowerBound)
            let high = Swift.min(ranges[left].upperBound, other.ranges[right].upperBound)
            if low <= high { result.ranges.append(low...high) }
            if ranges[left].upperBound < other.ranges[right].upperBound {
                left += 1
            } else {
                right += 1
            }
        }
        return result
    }

    public func subtracting(_ other: IntervalSet) -> IntervalSet {
        other.isEmpty || isEmpty ? self : intersection(other.complement)
    }
}
