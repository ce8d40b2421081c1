internal import NetTypes
internal import Policy

/// Says what policies and design expect of the packets of a leaf, and cuts them where that differs.
struct Judgement {
    let scenario: Scenario
    let fields: ProofFields
    let own: IntervalSet<UInt128>
    /// The flow's marks that stand for rules which the policies hold.
    let backed: BackedMarks
    let groups: [Direction: PolicyGroups]

    var width: Int { scenario.addressWidth }

    /// What is expected of the packets of a leaf; nil with a reason where that can't be said.
    ///
    /// With `byRule`, packets that different rules admit are told apart.
    func expected(of leaf: Leaf, byRule: Bool) -> Result<[Expected], Obscure> {
        let place = scenario.way == .outgoing ? Place.output : Place.input
        var result: [Expected] = []
        let space = leaf.state.space
        let (loopback, others) = space.domain(place, width: 4)
            .split(by: IntervalSet(1...1), bytes: 4)
        if !loopback.isEmpty, scenario.way != .forwarded {
            result.append(
                Expected(
                    space: space.setting(place, loopback),
                    expectation: .passes("an endpoint may talk to itself")))
        }
        if others.isEmpty { return .success(result) }
        let rest = space.setting(place, others)
        if scenario.way == .forwarded {
            return .success(
                result + [Expected(space: rest, expectation: .refused("an endpoint is no router"))])
        }
        return expected(of: rest, in: leaf, byRule).map { result + $0 }
    }

    /// Whether nothing but the policies is asked about packets of a space: they come from whom
    /// they say, over no loopback device, and belong to flows without a live rule.
    func isLeftToPolicies(_ space: Space) -> Bool {
        guard scenario.way != .forwarded, scenario.flow != .none else { return false }
        let place = scenario.way == .outgoing ? Place.output : Place.input
        guard !space.domain(place, width: 4).contains(1) else { return false }
        let (own, foreign) = space.domain(Place.source, width: width).split(by: own, bytes: width)
        guard scenario.way == .outgoing ? foreign.isEmpty : own.isEmpty else { return false }
        guard memberships(in: space).expected.isEmpty, messages(in: space).messages == nil else {
            return false
        }
        return scenario.flow == .first
            || backed.split(space.domain(Place.connectionMark, width: 4)).live.isEmpty
    }

    /// What the policies say to the packets of a leaf, whatever else is expected of them.
    func ruled(_ leaf: Leaf, byRule: Bool) -> Result<[Expected], Obscure> {
        judged(leaf.state.space, leaf, byRule)
    }

    /// What can't be expected, and why.
    struct Obscure: Error { let reason: String }

    func expected(
        of space: Space, in leaf: Leaf, _ byRule: Bool
    ) -> Result<[Expected], Obscure> {
        let (own, foreign) = space.domain(Place.source, width: width).split(by: own, bytes: width)
        var result: [Expected] = []
        let (trusted, spoofed) = scenario.way == .outgoing ? (own, foreign) : (foreign, own)
        if !spoofed.isEmpty {
            switch self.spoofed(space.setting(Place.source, spoofed), leaf) {
            case .success(let more): result += more
            case .failure(let obscure): return .failure(obscure)
            }
        }
        if trusted.isEmpty { return .success(result) }
        let honest = space.setting(Place.source, trusted)
        switch scenario.flow {
        case .none:
            let messages =
                scenario.family == .v4
                ? [] : scenario.way == .outgoing ? ControlMessage.said : ControlMessage.heard
            return .success(result + control(honest, messages, "it belongs to no flow"))
        case .first: return judgedBesides(honest, leaf, byRule).map { result + $0 }
        case .known, .error:
            let (live, dead) = backed.split(honest.domain(Place.connectionMark, width: 4))
            if !live.isEmpty {
                result.append(
                    Expected(
                        space: honest.setting(Place.connectionMark, live),
                        expectation: .passes("the flow's rule is live")))
            }
            if dead.isEmpty { return .success(result) }
            return judgedBesides(honest.setting(Place.connectionMark, dead), leaf, byRule).map {
                result + $0
            }
        }
    }

    /// What rules say to packets of flows, but for those that no rule is asked about.
    func judgedBesides(
        _ space: Space, _ leaf: Leaf, _ byRule: Bool
    ) -> Result<[Expected], Obscure> {
        var (result, rest) = memberships(in: space)
        for space in rest {
            switch judgedWithDHCP(space, leaf, byRule) {
            case .success(let more): result += more
            case .failure(let obscure): return .failure(obscure)
            }
        }
        return .success(result)
    }

    /// IGMP that no rule is asked about.
    ///
    /// Connection tracking takes it for flows, unlike listener discovery of IPv6.
    func memberships(in space: Space) -> (expected: [Expected], rest: [Space]) {
        guard scenario.family == .v4, !scenario.isError,
            space.domain(Place.layer4, width: 1).contains(2)
        else { return ([], [space]) }
        if scenario.way == .outgoing {
            return parted(space, ControlMessage.reports4, .passes("IPv4 needs it"))
        }
        let (heard, others) = parted(space, ControlMessage.queries4, .passes("IPv4 needs it"))
        return others.reduce(into: (heard, [])) { result, space in
            let (dropped, rest) = parted(
                space, ControlMessage.reports4, .refused("reports of groups are for routers"))
            result.0 += dropped
            result.1 += rest
        }
    }

    func spoofed(_ space: Space, _ leaf: Leaf) -> Result<[Expected], Obscure> {
        if scenario.way == .incoming {
            return .success([
                Expected(
                    space: space, expectation: .refused("its source is the endpoint's own address"))
            ])
        }
        let reason = "its source is not the endpoint's own address"
        guard scenario.family == .v6 ? scenario.flow == .none : !scenario.isError else {
            return .success([Expected(space: space, expectation: .refused(reason))])
        }
        let (nowhere, foreign) = space.domain(Place.source, width: width)
            .split(by: IntervalSet(0...0), bytes: width)
        var result: [Expected] = []
        if !foreign.isEmpty {
            result.append(
                Expected(
                    space: space.setting(Place.source, foreign), expectation: .refused(reason)))
        }
        if nowhere.isEmpty { return .success(result) }
        let rest = space.setting(Place.source, nowhere)
        if scenario.family == .v6 {
            return .success(result + control(rest, ControlMessage.saidFromNowhere, reason))
        }
        let (reports, others) = parted(
            rest, ControlMessage.reportsFromNowhere4, .passes("IPv4 needs it"))
        result += reports
        for space in others {
            switch discovery(space, leaf, reason) {
            case .success(let more): result += more
            case .failure(let obscure): return .failure(obscure)
            }
        }
        return .success(result)
    }

    /// Messages that pass by their type and hop limit, and everything else.
    func control(
        _ space: Space, _ messages: [ControlMessage], _ reason: String
    ) -> [Expected] {
        let (passing, rest) = parted(
            space, messages, .passes(scenario.family == .v6 ? "IPv6 needs it" : "IPv4 needs it"))
        return passing + rest.map { Expected(space: $0, expectation: .refused(reason)) }
    }

    /// The packets that are one of the messages, with what is expected of them, and all others.
    func parted(
        _ space: Space, _ messages: [ControlMessage], _ expectation: Expectation
    ) -> (expected: [Expected], rest: [Space]) {
        var rest = [space]
        var result: [Expected] = []
        for message in messages {
            var wanted: [(field: Int, width: Int, values: ClosedRange<UInt128>)] = [
                (Place.layer4, 1, message.ipProtocol...message.ipProtocol),
                (Place.hopLimit, 1, message.hopLimit...message.hopLimit),
                (fields.transportLength, 2, 1...0xffff), (fields.type, 1, message.types),
            ]
            if let destinations = message.destinations {
                wanted.insert((Place.destination, width, destinations), at: 2)
            }
            var next: [Space] = []
            for space in rest {
                var inside: Space? = space
                for (field, width, values) in wanted {
                    guard let here = inside else { break }
                    let (yes, no) = here.domain(field, width: width)
                        .split(by: IntervalSet(values), bytes: width)
                    if !no.isEmpty { next.append(here.setting(field, no)) }
                    inside = yes.isEmpty ? nil : here.setting(field, yes)
                }
                if let inside { result.append(Expected(space: inside, expectation: expectation)) }
            }
            rest = next
        }
        return (result, rest)
    }
}

/// Flows are judged by who called whom.
extension Judgement {
    func judged(_ space: Space, _ leaf: Leaf, _ byRule: Bool) -> Result<[Expected], Obscure> {
        let direction: Direction = scenario.isCalled ? .ingress : .egress
        guard let groups = groups[direction] else {
            return .failure(Obscure(reason: "no policy for the direction"))
        }
        let peerField =
            scenario.isError
            ? Place.flowPeer : scenario.way == .incoming ? Place.source : Place.destination
        var peers = space.domain(peerField, width: width)
        var isFixed = false
        if scenario.way == .outgoing, let written = leaf.state.written[Place.destination] {
            // Calls out are judged by what is on the wire.
            guard let address = IPAddress(bytes: written.compactMap(\.constant)) else {
                return .failure(Obscure(reason: "a translation to one of several addresses"))
            }
            peers = .single(UInt128(networkBytes: address.bytes))
            isFixed = true
        }
        guard let addresses = peers.ranges(bytes: width) else {
            return .failure(Obscure(reason: "addresses that are masked in too many ways"))
        }
        let parts = groups.parts(of: addresses)
        var result: [Expected] = []
        for (group, members) in parts {
            var here = space
            if !isFixed, parts.count > 1 { here.set(peerField, Domain(members)) }
            guard let group else {
                result.append(Expected(space: here, expectation: .noRule))
                continue
            }
            switch judged(here, leaf, groups.answers[group], byRule) {
            case .success(let more): result += more
            case .failure(let obscure): return .failure(obscure)
            }
        }
        return .success(result)
    }

    func judged(
        _ space: Space, _ leaf: Leaf, _ answers: PolicyAnswers, _ byRule: Bool
    ) -> Result<[Expected], Obscure> {
        let protocolField = scenario.isError ? fields.flowProtocol : Place.layer4
        var ports = space.domain(Place.flowDestination, width: 2)
        var isFixed = false
        if scenario.way == .outgoing, let port = writtenPort(leaf) {
            guard let number = port.only else {
                return .failure(Obscure(reason: "a translation to one of several ports"))
            }
            ports = .single(number)
            isFixed = true
        }
        guard let protocols = space.domain(protocolField, width: 1).ranges(bytes: 1),
            let ranges = ports.ranges(bytes: 2)
        else { return .failure(Obscure(reason: "ports that are masked in too many ways")) }
        return .success(
            answers.parts(protocols: protocols, ports: ranges, byRule: byRule).map { part in
                var here = space
                here.set(protocolField, Domain(part.protocols))
                if !isFixed { here.set(Place.flowDestination, Domain(part.ports)) }
                let expectation: Expectation =
                    switch part.answer {
                    case .rule(let rule): .admitted(rule)
                    case .someRule: .someRule
                    case .noRule: .noRule
                    }
                return Expected(space: here, expectation: expectation)
            })
    }

    /// The port that a translation has put in.
    func writtenPort(_ leaf: Leaf) -> Domain? {
        guard leaf.state.translated.contains(where: { $0 == .destination || $0 == .redirect }),
            let high = leaf.state.written[fields.port.high]?.first,
            let low = leaf.state.written[fields.port.low]?.first
        else { return nil }
        guard let one = high.constant, let two = low.constant else {
            return .all(bytes: 2)
        }
        return .single(UInt128(one) << 8 | UInt128(two))
    }
}
