internal import NetTypes
internal import Rules

/// Flattens the services of one class into boxes that don't overlap; the earlier rule wins.
struct Admissions {
    /// A rule's claim on boxes of protocols and ports, in the order of precedence.
    struct Claim {
        let mark: Mark
        let service: ResolvedService
    }

    /// The disjoint boxes of a class, with neighbours of one rule joined.
    static func flatten(_ claims: [Claim], in peerClass: Mark) -> [Admission] {
        var exact: [UInt8: [(ports: ClosedRange<UInt16>, order: Int)]] = [:]
        var everywhere: Int?
        for (order, claim) in claims.enumerated() {
            for box in claim.service.boxes {
                if box.protocols.count == 256 {
                    everywhere = everywhere ?? order
                } else {
                    exact[box.protocols.lowerBound, default: []].append((box.ports, order))
                }
            }
        }
        var result: [Admission] = []
        for (number, ranges) in exact.sorted(by: { $0.key < $1.key }) {
            let all = everywhere.map { ranges + [(0...UInt16.max, $0)] } ?? ranges
            for part in disjoint(all) {
                result.append(
                    Admission(
                        peerClass: peerClass, protocols: number...number, ports: part.ports,
                        rule: claims[part.order].mark))
            }
        }
        guard let everywhere else { return result }
        return result
            + IntervalSet(exact.keys.map { $0...$0 }).complement.ranges.map {
                Admission(
                    peerClass: peerClass, protocols: $0, ports: 0...UInt16.max,
                    rule: claims[everywhere].mark)
            }
    }

    /// Cuts overlapping port ranges so that each port goes to the claim of the lowest order.
    private static func disjoint(
        _ ranges: [(ports: ClosedRange<UInt16>, order: Int)]
    ) -> [(ports: ClosedRange<UInt16>, order: Int)] {
        if ranges.count == 1 { return ranges }
        let sorted = ranges.sorted { $0.ports.lowerBound < $1.ports.lowerBound }
        let overlap = zip(sorted, sorted.dropFirst())
            .contains { $0.ports.upperBound >= $1.ports.lowerBound }
        guard overlap else { return joined(sorted) }
        var result: [(ports: ClosedRange<UInt16>, order: Int)] = []
        var taken = IntervalSet<UInt16>()
        for range in ranges.sorted(by: { $0.order < $1.order }) {
            let free = IntervalSet(range.ports).subtracting(taken)
            for part in free.ranges { result.append((part, range.order)) }
            taken = taken.union(free)
        }
        result.sort { $0.ports.lowerBound < $1.ports.lowerBound }
        return joined(result)
    }

    private static func joined(
        _ parts: [(ports: ClosedRange<UInt16>, order: Int)]
    ) -> [(ports: ClosedRange<UInt16>, order: Int)] {
        var result: [(ports: ClosedRange<UInt16>, order: Int)] = []
        for part in parts {
            if let last = result.last, last.order == part.order,
                UInt32(last.ports.upperBound) + 1 == UInt32(part.ports.lowerBound)
            {
                result[result.count - 1].ports = last.ports.lowerBound...part.ports.upperBound
            } else {
                result.append(part)
            }
        }
        return result
    }
}
