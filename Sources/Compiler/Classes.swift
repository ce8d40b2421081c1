internal import NetTypes

/// Cuts the address space where the treatment of an address changes.
///
/// Two addresses are in one class when the same peer groups contain both. The time is n log n in the number
/// of ranges, beside what it takes to write down the groups of each class.
struct Classes {
    /// A class: the groups that contain its addresses, ascending.
    typealias Groups = [Int]

    /// One range of addresses and the class that it belongs to, disjoint and ascending.
    struct Segment<Number: FixedWidthInteger & UnsignedInteger & Sendable> {
        let addresses: ClosedRange<Number>
        /// An index into `members`.
        let peerClass: Int
    }

    let v4: [Segment<UInt32>]
    let v6: [Segment<UInt128>]
    /// The groups of each class; some classes may have no addresses.
    let members: [Groups]

    /// Addresses that no group contains are in no segment.
    init(of groups: [AddressSet]) {
        var sweep = Sweep()
        v4 = sweep.segments(of: groups.map(\.v4))
        v6 = sweep.segments(of: groups.map(\.v6))
        members = sweep.members
    }
}

/// A sweep over the bounds of all groups.
///
/// Between two bounds some groups are open. Which ones is a state, and the states that were met are
/// remembered with what each bound made of them: where two long lists alternate, a bound costs one look.
private struct Sweep {
    /// The open groups of each state, ascending; none in the first one.
    private(set) var members: [Classes.Groups] = [[]]
    private var states: [Classes.Groups: Int] = [[]: 0]
    /// What the last bound in each state led to.
    private var last: [(group: Int, next: Int)] = [(-1, 0)]
    /// The same for every bound that was met.
    private var transitions: [Transition: Int] = [:]

    private struct Transition: Hashable {
        let state: Int
        let group: Int
    }

    private struct Edge<Number> {
        let at: Number
        let group: Int32
    }

    /// One family's segments.
    mutating func segments<Number: FixedWidthInteger & UnsignedInteger & Sendable>(
        of groups: [IntervalSet<Number>]
    ) -> [Classes.Segment<Number>] {
        if groups.count == 1 {
            let only = toggled(0, in: 0)
            return groups[0].ranges.map { Classes.Segment(addresses: $0, peerClass: only) }
        }
        var edges: [Edge<Number>] = []
        edges.reserveCapacity(groups.reduce(0) { $0 + 2 * $1.ranges.count })
        for (index, group) in groups.enumerated() {
            for range in group.ranges {
                edges.append(Edge(at: range.lowerBound, group: Int32(index)))
                if range.upperBound < .max {
                    edges.append(Edge(at: range.upperBound + 1, group: Int32(index)))
                }
            }
        }
        // Each group's are in order already, and the sort makes use of that.
        edges.sort { $0.at < $1.at }
        return sweep(edges)
    }

    private mutating func sweep<Number: FixedWidthInteger & UnsignedInteger & Sendable>(
        _ edges: [Edge<Number>]
    ) -> [Classes.Segment<Number>] {
        var segments: [Classes.Segment<Number>] = []
        segments.reserveCapacity(edges.count)
        var state = 0
        var index = 0
        while index < edges.count {
            let start = edges[index].at
            // A group's ranges neither overlap nor touch: it has one bound at most in a place.
            while index < edges.count, edges[index].at == start {
                state = toggled(Int(edges[index].group), in: state)
                index += 1
            }
            guard state != 0 else { continue }
            let end = index < edges.count ? edges[index].at - 1 : Number.max
            segments.append(Classes.Segment(addresses: start...end, peerClass: state))
        }
        return segments
    }

    /// The state after a bound of a group.
    private mutating func toggled(_ group: Int, in state: Int) -> Int {
        if last[state].group == group { return last[state].next }
        let key = Transition(state: state, group: group)
        let next = transitions[key] ?? number(of: members[state].toggling(group))
        transitions[key] = next
        last[state] = (group, next)
        return next
    }

    private mutating func number(of groups: Classes.Groups) -> Int {
        if let known = states[groups] { return known }
        states[groups] = members.count
        members.append(groups)
        last.append((-1, 0))
        return members.count - 1
    }
}

extension [Int] {
    /// The sorted list with one number more, or without it where it is there.
    fileprivate func toggling(_ number: Int) -> [Int] {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if self[middle] < number { low = middle + 1 } else { high = middle }
        }
        var result = self
        if low < count, self[low] == number {
            result.remove(at: low)
        } else {
            result.insert(number, at: low)
        }
        return result
    }
}
