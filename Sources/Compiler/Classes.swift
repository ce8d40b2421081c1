internal import NetTypes
internal import Rules

/// Cuts the address space where the treatment of an address changes.
///
/// Two addresses are in one class when the same peer groups contain both.
struct Classes {
    /// A class: the groups that contain its addresses, ascending.
    typealias Groups = [Int]

    /// One range of addresses and the class that it belongs to, disjoint and ascending.
    struct Segment<Number: FixedWidthInteger & UnsignedInteger & Sendable> {
        let addresses: ClosedRange<Number>
        let groups: Groups
    }

    /// A sweep over the bounds of all groups; addresses that no group contains are left out.
    static func segments<Number>(of groups: [IntervalSet<Number>]) -> [Segment<Number>] {
        if groups.count == 1 {
            return groups[0].ranges.map { Segment(addresses: $0, groups: [0]) }
        }
        var edges: [Edge<Number>] = []
        for (index, group) in groups.enumerated() {
            for range in group.ranges {
                edges.append(Edge(at: range.lowerBound, group: index, opens: true))
                if range.upperBound < .max {
                    edges.append(Edge(at: range.upperBound + 1, group: index, opens: false))
                }
            }
        }
        edges.sort { $0.at < $1.at }
        return sweep(edges)
    }

    private struct Edge<Number> {
        let at: Number
        let group: Int
        let opens: Bool
    }

    private static func sweep<Number: FixedWidthInteger & UnsignedInteger & Sendable>(
        _ edges: [Edge<Number>]
    ) -> [Segment<Number>] {
        var segments: [Segment<Number>] = []
        var active: Groups = []
        var index = 0
        while index < edges.count {
            let start = edges[index].at
            while index < edges.count, edges[index].at == start {
                toggle(edges[index].group, opens: edges[index].opens, in: &active)
                index += 1
            }
            guard !active.isEmpty else { continue }
            let end = index < edges.count ? edges[index].at - 1 : Number.max
            if let last = segments.last, last.groups == active,
                last.addresses.upperBound + 1 == start
            {
                segments[segments.count - 1] = Segment(
                    addresses: last.addresses.lowerBound...end, groups: active)
            } else {
                segments.append(Segment(addresses: start...end, groups: active))
            }
        }
        return segments
    }

    private static func toggle(_ group: Int, opens: Bool, in active: inout Groups) {
        let place = active.firstIndex { $0 >= group } ?? active.count
        if opens {
            active.insert(group, at: place)
        } else if place < active.count, active[place] == group {
            active.remove(at: place)
        }
    }
}
