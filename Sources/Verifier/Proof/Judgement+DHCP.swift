internal import NetTypes
internal import Policy

/// Messages of DHCP are judged by both of their ports, before all other rules.
extension Judgement {
    func judgedWithDHCP(
        _ space: Space, _ leaf: Leaf, _ byRule: Bool
    ) -> Result<[Expected], Obscure> {
        let (messages, rest) = messages(in: space)
        var (result, others) = ([Expected](), rest)
        if let messages {
            switch admittedMessages(messages, leaf) {
            case .success(let parts):
                result = parts.admitted
                others += parts.rest
            case .failure(let obscure): return .failure(obscure)
            }
        }
        for space in others {
            switch judged(space, leaf, byRule) {
            case .success(let more): result += more
            case .failure(let obscure): return .failure(obscure)
            }
        }
        return .success(result)
    }

    /// The messages of DHCP among packets, as a client says and hears them, and all others.
    func messages(in space: Space) -> (messages: Space?, rest: [Space]) {
        guard !scenario.isError, !scenario.isReply, scenario.flow != .none else {
            return (nil, [space])
        }
        let ports = DHCP.ports(scenario.family)
        let (from, to) =
            scenario.way == .outgoing ? (ports.client, ports.server) : (ports.server, ports.client)
        let (messages, rest) = cut(
            space,
            [
                (Place.layer4, 1, 17), (Place.flowSource, 2, UInt128(from)),
                (Place.flowDestination, 2, UInt128(to)),
            ])
        return (messages, rest)
    }

    /// The packets that have all of these numbers, and all others.
    private func cut(
        _ space: Space, _ wanted: [(field: Int, width: Int, number: UInt128)]
    ) -> (inside: Space?, rest: [Space]) {
        var (here, rest) = (space, [Space]())
        for (field, width, number) in wanted {
            let (yes, no) = here.domain(field, width: width)
                .split(by: IntervalSet(number...number), bytes: width)
            if !no.isEmpty { rest.append(here.setting(field, no)) }
            if yes.isEmpty { return (nil, rest) }
            here.set(field, yes)
        }
        return (here, rest)
    }

    /// Messages of DHCP that a rule about them admits, and all others.
    private func admittedMessages(
        _ space: Space, _ leaf: Leaf
    ) -> Result<(admitted: [Expected], rest: [Space]), Obscure> {
        guard let groups = groups[scenario.isCalled ? .ingress : .egress] else {
            return .failure(Obscure(reason: "no policy for the direction"))
        }
        let ports = DHCP.ports(scenario.family)
        let port = UInt128(scenario.way == .outgoing ? ports.server : ports.client)
        let peerField = scenario.way == .incoming ? Place.source : Place.destination
        var peers = space.domain(peerField, width: width)
        var isFixed = false
        if scenario.way == .outgoing, let written = leaf.state.written[Place.destination] {
            guard let address = IPAddress(bytes: written.compactMap(\.constant)) else {
                return .failure(Obscure(reason: "a translation to one of several addresses"))
            }
            peers = .single(UInt128(networkBytes: address.bytes))
            isFixed = true
        }
        guard let addresses = peers.ranges(bytes: width) else {
            return .failure(Obscure(reason: "addresses that are masked in too many ways"))
        }
        let number = UInt128(DHCP.ipProtocol.rawValue)
        var (admitted, rest) = ([Expected](), [Space]())
        for (group, members) in groups.parts(of: addresses) {
            let here = isFixed ? space : space.setting(peerField, Domain(members))
            let answer = group.flatMap {
                groups.answers[$0].parts(
                    protocols: IntervalSet(number...number), ports: IntervalSet(port...port),
                    byRule: true
                ).first?.answer
            }
            if case .rule(let rule)? = answer, rule.service.isDHCP {
                admitted.append(Expected(space: here, expectation: .admitted(rule)))
            } else {
                rest.append(here)
            }
        }
        return .success((admitted, rest))
    }

    /// What is said from 0.0.0.0: the search for DHCP servers, by a rule about that, and nothing else.
    func discovery(
        _ space: Space, _ leaf: Leaf, _ reason: String
    ) -> Result<[Expected], Obscure> {
        let (messages, others) = messages(in: space)
        func refused(_ spaces: [Space]) -> [Expected] {
            spaces.map { Expected(space: $0, expectation: .refused(reason)) }
        }
        guard let messages else { return .success(refused(others)) }
        let (search, elsewhere) = cut(messages, [(Place.destination, width, 0xffff_ffff)])
        var result = refused(others + elsewhere)
        guard let search else { return .success(result) }
        var dead = search
        if scenario.flow != .first {
            let marks = backed.split(search.domain(Place.connectionMark, width: 4))
            if !marks.live.isEmpty {
                result.append(
                    Expected(
                        space: search.setting(Place.connectionMark, marks.live),
                        expectation: .passes("the flow's rule is live")))
            }
            if marks.dead.isEmpty { return .success(result) }
            dead.set(Place.connectionMark, marks.dead)
        }
        return admittedMessages(dead, leaf).map { result + $0.admitted + refused($0.rest) }
    }
}
