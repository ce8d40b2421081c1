extension ClosedRange where Bound: FixedWidthInteger & UnsignedInteger {
    /// The fewest prefixes that together are the range, ascending: each a base and how many of its
    /// leading bits count.
    var prefixes: [(base: Bound, length: Int)] {
        var prefixes: [(base: Bound, length: Int)] = []
        var low = lowerBound
        while true {
            // As large a block as starts here and ends in the range.
            var free = Swift.min(low.trailingZeroBitCount, Bound.bitWidth)
            while free > 0, low | Bound.max.prefixMask(free: free) > upperBound { free -= 1 }
            prefixes.append((low, Bound.bitWidth - free))
            let last = low | Bound.max.prefixMask(free: free)
            if last >= upperBound { return prefixes }
            low = last + 1
        }
    }
}

extension FixedWidthInteger where Self: UnsignedInteger {
    /// So many low bits set.
    fileprivate func prefixMask(free: Int) -> Self {
        free >= Self.bitWidth ? .max : (1 << Self(free)) - 1
    }
}
