internal import NetTypes

extension Domain.Cube {
    /// What both contain; nil where that is nothing.
    func intersection(_ other: Self) -> Self? {
        let shared = mask & other.mask
        guard value & shared == other.value & shared else { return nil }
        return Self(mask: mask | other.mask, value: value | other.value)
    }

    /// What lies outside another, in disjoint cubes: one for each bit that the other fixes further.
    func subtracting(_ other: Self) -> [Self] {
        guard intersection(other) != nil else { return [self] }
        var rest: [Self] = []
        var (mask, value) = (mask, value)
        var open = other.mask & ~mask
        while open != 0 {
            let bit: UInt128 = 1 << UInt128(127 - open.leadingZeroBitCount)
            rest.append(Self(mask: mask | bit, value: value | (~other.value & bit)))
            mask |= bit
            value |= other.value & bit
            open &= ~bit
        }
        return rest
    }

    /// The cube as one range: its fixed bits stand before all others.
    func range(bytes: Int) -> ClosedRange<UInt128>? {
        let free = Domain.greatest(bytes: bytes) & ~mask
        guard free & (free &+ 1) == 0 else { return nil }
        return value...(value | free)
    }

    /// The cube as ranges; nil where there are too many.
    func ranges(bytes: Int, limit: Int) -> [ClosedRange<UInt128>]? {
        let free = Domain.greatest(bytes: bytes) & ~mask
        let low = (~free).trailingZeroBitCount
        let tail: UInt128 = low >= 128 ? .max : (1 << UInt128(low)) - 1
        let scattered = free & ~tail
        guard scattered.nonzeroBitCount < 20, 1 << scattered.nonzeroBitCount <= limit else {
            return nil
        }
        var ranges: [ClosedRange<UInt128>] = []
        var part: UInt128 = 0
        repeat {
            ranges.append((value | part)...(value | part | tail))
            // The next number that has bits in the scattered places only.
            part = (part &- scattered) & scattered
        } while part != 0
        return ranges
    }

    /// Disjoint cubes that together are a set of ranges.
    static func covering(_ set: IntervalSet<UInt128>, bytes: Int) -> [Self] {
        let all = Domain.greatest(bytes: bytes)
        var cubes: [Self] = []
        for range in set.ranges {
            var low = range.lowerBound
            while low <= min(range.upperBound, all) {
                var size: UInt128 = 1
                while size - 1 < all, low & (2 * size - 1) == 0,
                    low + (2 * size - 1) <= range.upperBound
                {
                    size *= 2
                    if size > all / 2 + 1 || size == 1 << 127 { break }
                }
                // The whole of 128 bits can't be told by its size.
                if low == 0, range.upperBound == .max, bytes >= 16 {
                    return [Self(mask: 0, value: 0)]
                }
                cubes.append(Self(mask: all & ~(size - 1), value: low))
                if low > range.upperBound - (size - 1) || low + (size - 1) == .max { break }
                low += size
            }
        }
        return cubes
    }
}
