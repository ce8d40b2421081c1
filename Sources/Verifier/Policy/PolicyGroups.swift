internal import NetTypes
internal import Policy

/// The addresses of one family as the rules of one endpoint see them in one direction: each group
/// is treated alike.
struct PolicyGroups {
    /// What is in no segment has no rule.
    private let segments: RangeTable
    private(set) var answers: [PolicyAnswers] = []

    init(_ openings: [PolicyOpening], _ direction: Direction, _ family: AddressFamily) {
        let meant = openings.filter { $0.direction == direction }
        var numbers: [[Int]: Int] = [:]
        var groups: [[Int]] = []
        let claims = meant.enumerated().flatMap { index, opening in
            opening.peers.ranges(family).map { RangeTable.Segment(range: $0, place: index) }
        }
        segments = RangeTable(sweeping: claims) { active in
            if let known = numbers[active] { return known }
            numbers[active] = groups.count
            groups.append(active)
            return groups.count - 1
        }
        answers = groups.map { PolicyAnswers($0.map { meant[$0] }) }
    }

    /// The group of one address; nil where no rule speaks of it.
    func group(of address: UInt128) -> Int? { segments.place(of: address) }

    /// Cuts addresses by groups; nil is what no rule speaks of.
    func parts(
        of addresses: IntervalSet<UInt128>
    ) -> [(group: Int?, addresses: IntervalSet<UInt128>)] {
        let (found, rest) = segments.parts(of: addresses)
        return found.map { ($0.place, $0.numbers) } + (rest.isEmpty ? [] : [(nil, rest)])
    }
}

/// Which rule answers for which protocol and port, for one group of addresses.
struct PolicyAnswers {
    /// By protocol: the ports of the rules that admit some, by their places among the rules.
    private var exact: [(number: UInt8, ports: RangeTable, admitted: IntervalSet<UInt128>)] = []
    /// The rule that admits whatever no earlier one does.
    private var everywhere: Int?
    /// In the order in which they are asked.
    private let rules: [Rule]

    init(_ openings: [PolicyOpening]) {
        var claims: [(rule: Rule, names: [NamedPort])] = openings.flatMap { opening in
            opening.rules.map { ($0, opening.names) }
        }
        claims.sort { $0.rule.precedes($1.rule) }
        rules = claims.map(\.rule)
        var ranges: [UInt8: [RangeTable.Segment]] = [:]
        for (order, claim) in claims.enumerated() {
            let service = claim.rule.service
            guard let number = service.ipProtocol?.rawValue else {
                everywhere = everywhere ?? order
                continue
            }
            for range in service.portRanges(names: claim.names) {
                ranges[number, default: []].append(.init(range: range, place: order))
            }
        }
        let always = everywhere.map { [RangeTable.Segment(range: 0...0xffff, place: $0)] } ?? []
        exact = ranges.sorted { $0.key < $1.key }.map { number, claims in
            let ports = RangeTable(lowestOf: claims + always)
            return (number, ports, IntervalSet(ports.segments.lazy.map(\.range)))
        }
    }

    /// Cuts protocols and ports by what becomes of them; with `byRule`, by the rule that admits
    /// them as well.
    func parts(
        protocols: IntervalSet<UInt128>, ports: IntervalSet<UInt128>, byRule: Bool
    ) -> [Part] {
        var parts: [Part] = []
        var left = protocols
        for (number, table, admitted) in exact where protocols.contains(UInt128(number)) {
            let only = IntervalSet(UInt128(number)...UInt128(number))
            left = left.subtracting(only)
            let refused: IntervalSet<UInt128>
            if byRule {
                let (found, rest) = table.parts(of: ports)
                parts += found.map {
                    Part(protocols: only, ports: $0.numbers, answer: .rule(rules[$0.place]))
                }
                refused = rest
            } else {
                let inside = ports.intersection(admitted)
                if !inside.isEmpty {
                    parts.append(Part(protocols: only, ports: inside, answer: .someRule))
                }
                refused = ports.subtracting(admitted)
            }
            if !refused.isEmpty {
                parts.append(Part(protocols: only, ports: refused, answer: .noRule))
            }
        }
        if !left.isEmpty {
            let answer = everywhere.map { Answer.rule(rules[$0]) } ?? .noRule
            parts.append(Part(protocols: left, ports: ports, answer: answer))
        }
        return parts
    }

    struct Part {
        let protocols: IntervalSet<UInt128>
        let ports: IntervalSet<UInt128>
        let answer: Answer
    }

    enum Answer {
        case rule(Rule)
        /// One for each packet, but not the same for all.
        case someRule
        case noRule
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
