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
        var places = PortPlaces(ranges.map(\.ports))
        for range in ranges.sorted(by: { $0.order < $1.order }) {
            places.give(range.ports, to: range.order)
        }
        return joined(places.given)
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

/// The ports between the bounds of some ranges, each place given to the first who asks for it.
///
/// Places that are taken are skipped all at once, so that a long list of ports that overlaps with another one
/// costs n log n.
private struct PortPlaces {
    /// Where each place begins; the last one is the end of all.
    private let bounds: [UInt32]
    private var owners: [Int?]
    /// By place: a place that isn't taken, or one from which to look further; itself where it is free.
    private var next: [Int]

    init(_ ranges: [ClosedRange<UInt16>]) {
        let all = ranges.flatMap { [UInt32($0.lowerBound), UInt32($0.upperBound) + 1] }.sorted()
        bounds = all.enumerated().filter { $0.offset == 0 || all[$0.offset - 1] != $0.element }
            .map(\.element)
        owners = Array(repeating: nil, count: bounds.count)
        next = Array(0...bounds.count)
    }

    /// Gives what is free of a range; its ends must be bounds.
    mutating func give(_ range: ClosedRange<UInt16>, to owner: Int) {
        let end = place(of: UInt32(range.upperBound) + 1)
        var place = free(from: place(of: UInt32(range.lowerBound)))
        while place < end {
            owners[place] = owner
            next[place] = place + 1
            place = free(from: place + 1)
        }
    }

    /// What was given, ascending.
    var given: [(ports: ClosedRange<UInt16>, order: Int)] {
        zip(bounds, bounds.dropFirst()).enumerated().compactMap { index, ends in
            owners[index].map {
                (UInt16(truncatingIfNeeded: ends.0)...UInt16(truncatingIfNeeded: ends.1 - 1), $0)
            }
        }
    }

    private mutating func free(from first: Int) -> Int {
        var place = first
        while next[place] != place { place = next[place] }
        // The way is shorter the next time.
        var passed = first
        while passed != place {
            let further = next[passed]
            next[passed] = place
            passed = further
        }
        return place
    }

    private func place(of bound: UInt32) -> Int {
        var (low, high) = (0, bounds.count)
        while low < high {
            let middle = (low + high) / 2
            if bounds[middle] < bound { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
