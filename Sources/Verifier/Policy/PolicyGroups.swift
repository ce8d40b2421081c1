internal import NetTypes
internal import Policy

/// The addresses of one family as the rules of one endpoint see them in one direction: each group
/// is treated alike.
struct PolicyGroups {
    /// Ascending and disjoint; what is in no segment has no rule.
    private let segments: [(range: ClosedRange<UInt128>, group: Int)]
    private(set) var answers: [PolicyAnswers] = []

    init(_ openings: [PolicyOpening], _ direction: Direction, _ family: AddressFamily) {
        let meant = openings.filter { $0.direction == direction }
        var edges: [(at: UInt128, opening: Int, opens: Bool)] = []
        for (index, opening) in meant.enumerated() {
            for range in opening.peers.ranges(family) {
                edges.append((range.lowerBound, index, true))
                if range.upperBound < .max { edges.append((range.upperBound + 1, index, false)) }
            }
        }
        edges.sort { $0.at < $1.at }
        var segments: [(ClosedRange<UInt128>, Int)] = []
        var numbers: [[Int]: Int] = [:]
        var active: [Int] = []
        var place = 0
        while place < edges.count {
            let start = edges[place].at
            while place < edges.count, edges[place].at == start {
                let edge = edges[place]
                if edge.opens {
                    active.append(edge.opening)
                } else if let index = active.firstIndex(of: edge.opening) {
                    active.remove(at: index)
                }
                place += 1
            }
            if active.isEmpty { continue }
            let key = active.sorted()
            let end = place < edges.count ? edges[place].at - 1 : UInt128.max
            let group = numbers[key] ?? answers.count
            if group == answers.count {
                numbers[key] = group
                answers.append(PolicyAnswers(key.map { meant[$0] }))
            }
            segments.append((start...end, group))
        }
        self.segments = segments
    }

    /// Cuts addresses by groups; nil is what no rule speaks of.
    func parts(
        of addresses: IntervalSet<UInt128>
    ) -> [(group: Int?, addresses: IntervalSet<UInt128>)] {
        var found: [Int: [ClosedRange<UInt128>]] = [:]
        var rest: [ClosedRange<UInt128>] = []
        for range in addresses.ranges {
            var next = range.lowerBound
            var isDone = false
            var index = first(reaching: range.lowerBound)
            while index < segments.count, segments[index].range.lowerBound <= range.upperBound {
                let (segment, group) = segments[index]
                let low = max(segment.lowerBound, next)
                let high = min(segment.upperBound, range.upperBound)
                if low > next { rest.append(next...(low - 1)) }
                found[group, default: []].append(low...high)
                isDone = high == range.upperBound
                if isDone { break }
                next = high + 1
                index += 1
            }
            if !isDone { rest.append(next...range.upperBound) }
        }
        var parts: [(group: Int?, addresses: IntervalSet<UInt128>)] =
            found.sorted { $0.key < $1.key }.map { ($0.key, IntervalSet($0.value)) }
        if !rest.isEmpty { parts.append((nil, IntervalSet(rest))) }
        return parts
    }

    private func first(reaching address: UInt128) -> Int {
        var (low, high) = (0, segments.count)
        while low < high {
            let middle = (low + high) / 2
            if segments[middle].range.upperBound < address {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return low
    }
}

/// Which rule answers for which protocol and port, for one group of addresses.
struct PolicyAnswers {
    /// By protocol: ports and the rule that admits them; ascending and disjoint.
    private var exact: [UInt8: [(ports: ClosedRange<UInt128>, rule: Rule)]] = [:]
    /// The rule that admits whatever no earlier one does.
    private var everywhere: Rule?

    init(_ openings: [PolicyOpening]) {
        var claims: [(rule: Rule, names: [NamedPort])] = openings.flatMap { opening in
            opening.rules.map { ($0, opening.names) }
        }
        claims.sort { $0.rule.precedes($1.rule) }
        var ranges: [UInt8: [(ports: ClosedRange<UInt128>, order: Int)]] = [:]
        var anyOrder: Int?
        for (order, claim) in claims.enumerated() {
            guard let number = claim.rule.service.ipProtocol?.rawValue else {
                anyOrder = anyOrder ?? order
                continue
            }
            for range in claim.rule.service.portRanges(names: claim.names) {
                ranges[number, default: []].append((range, order))
            }
        }
        everywhere = anyOrder.map { claims[$0].rule }
        for (number, list) in ranges {
            let all = anyOrder.map { list + [(0...0xffff, $0)] } ?? list
            exact[number] = Self.disjoint(all).map { ($0.ports, claims[$0.order].rule) }
        }
    }

    /// The earliest claim on each port.
    private static func disjoint(
        _ claims: [(ports: ClosedRange<UInt128>, order: Int)]
    ) -> [(ports: ClosedRange<UInt128>, order: Int)] {
        var taken = IntervalSet<UInt128>()
        var result: [(ports: ClosedRange<UInt128>, order: Int)] = []
        for claim in claims.sorted(by: { $0.order < $1.order }) {
            let free = IntervalSet(claim.ports).subtracting(taken)
            result += free.ranges.map { ($0, claim.order) }
            taken = taken.union(free)
        }
        return result.sorted { $0.ports.lowerBound < $1.ports.lowerBound }
    }

    /// Cuts protocols and ports by the rule that admits them; nil is refused.
    func parts(protocols: IntervalSet<UInt128>, ports: IntervalSet<UInt128>) -> [Part] {
        var parts: [Part] = []
        var left = protocols
        for (number, list) in exact where protocols.contains(UInt128(number)) {
            let only = IntervalSet(UInt128(number)...UInt128(number))
            left = left.subtracting(only)
            var rest = ports
            for (range, rule) in list {
                let inside = ports.intersection(IntervalSet(range))
                if inside.isEmpty { continue }
                parts.append(Part(protocols: only, ports: inside, rule: rule))
                rest = rest.subtracting(IntervalSet(range))
            }
            if !rest.isEmpty { parts.append(Part(protocols: only, ports: rest, rule: nil)) }
        }
        if !left.isEmpty {
            parts.append(Part(protocols: left, ports: ports, rule: everywhere))
        }
        return parts
    }

    struct Part {
        let protocols: IntervalSet<UInt128>
        let ports: IntervalSet<UInt128>
        let rule: Rule?
    }
}

extension Service {
    /// The ports, or first 16 bits of messages, that the service covers for its protocol.
    fileprivate func portRanges(names declared: [NamedPort]) -> [ClosedRange<UInt128>] {
        switch self {
        case .any, .other: return [0...0xffff]
        case .ports(let number, let ports, let names):
            if ports.isEmpty, names.isEmpty { return [0...0xffff] }
            let named = declared.filter { $0.ipProtocol == number && names.contains($0.name) }
            return ports.ranges.map { UInt128($0.lowerBound)...UInt128($0.upperBound) }
                + named.map { UInt128($0.port)...UInt128($0.port) }
        case .messages(_, let messages):
            if messages.isEmpty { return [0...0xffff] }
            return messages.map(\.range).map { UInt128($0.lowerBound)...UInt128($0.upperBound) }
        }
    }
}

extension AddressSet {
    /// The addresses of one family as numbers.
    func ranges(_ family: AddressFamily) -> [ClosedRange<UInt128>] {
        switch family {
        case .v4: v4.ranges.map { UInt128($0.lowerBound)...UInt128($0.upperBound) }
        case .v6: v6.ranges
        }
    }

    func numbers(_ family: AddressFamily) -> IntervalSet<UInt128> { IntervalSet(ranges(family)) }
}
