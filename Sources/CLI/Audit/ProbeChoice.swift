internal import NetTypes
internal import Policy

/// Chooses the packets to send: pairs of endpoints, protocols and families at random, half of them
/// such as the policies admit.
struct ProbeChoice {
    struct Cell {
        let source: Endpoint
        let destination: Endpoint
        let flow: Flow
    }

    private struct Key: Hashable {
        let source: NamespaceID
        let destination: NamespaceID
        let ipProtocol: IPProtocol
        let family: AddressFamily
        let isAllowed: Bool
    }

    private let policies: PolicySet
    private let topology: Topology
    private let reachability: Reachability
    /// UDP ports that somebody listens to: a packet to one would reach a program.
    private let busy: [NamespaceID: Set<UInt16>]
    private var random: SplitMix
    private var keys: Set<Key> = []

    init(
        _ policies: PolicySet, _ topology: Topology, busy: [NamespaceID: Set<UInt16>],
        seed: UInt64
    ) {
        self.policies = policies
        self.topology = topology
        self.busy = busy
        reachability = Reachability(policies, in: topology)
        random = SplitMix(state: seed)
    }

    /// So many cells at most, and how many kinds of cells were left out.
    mutating func cells(
        _ count: Int, from: String?, to: String?
    ) -> (chosen: [Cell], left: Int) {
        let sources = topology.endpoints.filter { from == nil || $0.tenant == from }
        let destinations = topology.endpoints.filter { to == nil || $0.tenant == to }
        guard !sources.isEmpty, !destinations.isEmpty else { return ([], 0) }
        var chosen: [Cell] = []
        // Cells are drawn: a machine with thousands of endpoints has too many to list.
        for _ in 0..<count * 40 where chosen.count < count {
            let source = sources[random.below(sources.count)]
            let destination = destinations[random.below(destinations.count)]
            guard source.id != destination.id, let cell = cell(source, destination) else {
                continue
            }
            chosen.append(cell)
        }
        let pairs = sources.reduce(0) { sum, source in
            sum + destinations.count { $0.id != source.id }
        }
        return (chosen, max(0, pairs * 12 - chosen.count))
    }

    private mutating func cell(_ source: Endpoint, _ destination: Endpoint) -> Cell? {
        let family: AddressFamily = random.below(2) == 0 ? .v4 : .v6
        let number: IPProtocol =
            [.tcp, .udp, family == .v4 ? .icmp : .icmpv6][random.below(3)]
        let wantsAllowed = random.below(2) == 0
        let found =
            wantsAllowed
            ? admitted(source, destination, number, family)
            : refused(source, destination, number, family)
        guard let found else { return nil }
        let flow = withSourcePort(found)
        let isAllowed = policies.verdict(for: flow, in: topology).isAdmitted
        let key = Key(
            source: source.id, destination: destination.id, ipProtocol: number, family: family,
            isAllowed: isAllowed)
        guard isAllowed == wantsAllowed, keys.insert(key).inserted else { return nil }
        return Cell(source: source, destination: destination, flow: flow)
    }

    /// A packet by one of the rules that admit some.
    private mutating func admitted(
        _ source: Endpoint, _ destination: Endpoint, _ number: IPProtocol,
        _ family: AddressFamily
    ) -> Flow? {
        let rules = reachability.rules(from: source.id, to: destination.id, number)
        guard !rules.isEmpty else { return nil }
        let avoided = number == .udp ? busy[destination.id] ?? [] : []
        let flow = reachability.flow(
            from: source.id, to: destination.id, number, family,
            by: rules[random.below(rules.count)], avoiding: avoided)
        guard let flow, number.isICMP, flow.destinationPort != Self.echo(number) else {
            return flow
        }
        return nil
    }

    /// A packet that the policies refuse, if the first few tries find one.
    private mutating func refused(
        _ source: Endpoint, _ destination: Endpoint, _ number: IPProtocol,
        _ family: AddressFamily
    ) -> Flow? {
        guard let from = source.lasting(family), let to = destination.lasting(family) else {
            return nil
        }
        for _ in 0..<8 {
            let port =
                number.isICMP ? Self.echo(number) : UInt16(truncatingIfNeeded: random.next()) | 1
            if number == .udp, busy[destination.id]?.contains(port) ?? false { continue }
            let flow = Flow(
                source: from, destination: to, ipProtocol: number, destinationPort: port)
            if !policies.verdict(for: flow, in: topology).isAdmitted { return flow }
        }
        return nil
    }

    private static func echo(_ number: IPProtocol) -> UInt16 { number == .icmp ? 8 << 8 : 128 << 8 }

    private mutating func withSourcePort(_ flow: Flow) -> Flow {
        let ports = UInt16(61_000)...65_500
        return Flow(
            source: flow.source, destination: flow.destination, ipProtocol: flow.ipProtocol,
            sourcePort: ports.lowerBound + UInt16(random.below(ports.count)),
            destinationPort: flow.destinationPort)
    }
}

extension Endpoint {
    /// An address that is good beyond a link.
    fileprivate func lasting(_ family: AddressFamily) -> IPAddress? {
        addresses.first { $0.family == family && !$0.isLinkLocal }
    }
}

/// Random numbers that a seed repeats; the algorithm is SplitMix64.
private struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }

    mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
}
