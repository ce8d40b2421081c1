internal import NetTypes
internal import Policy

/// What the programs know already: own addresses, admitted flows, refused ones.
extension HostEndpointProof {
    /// What an endpoint sends from is its own, and nothing else.
    mutating func holdOwn() {
        let map = entry.addresses == nil ? "own of endpoint \(number)" : "endpoints: addresses"
        for address in own.symmetricDifference(known).sorted() {
            let text = HostAddress.address(address)
            let isOwn = own.contains(address)
            let call = admitted(text.family)
            let expectation =
                isOwn
                ? call.map { Expectation.admitted($0.rule) }
                : .refused("its source is not the endpoint's own address")
            report(
                HostFilterFinding(
                    kind: .identity, endpoint: party(place), interface: interface,
                    packet: call.flatMap { isOwn || isAdmitted($0) ? $0 : nil }.map {
                        packet(.egress, 0, $0.remote, $0.ipProtocol, $0.port, local: address)
                    },
                    policy: call == nil ? nil : expectation?.side, place: map,
                    reason: isOwn
                        ? "\(text) is the endpoint's, and refused as a false source"
                        : "\(text) is not the endpoint's, and passes as its own"))
        }
    }

    private struct Call {
        let remote: UInt128
        let ipProtocol: UInt8
        let port: UInt16
        let rule: Rule
    }

    /// Whether the maps admit a call, whoever's address it comes from.
    private func isAdmitted(_ call: Call) -> Bool {
        let family = HostAddress.address(call.remote).family
        let peerClass = segments[family]?.peerClass(of: call.remote) ?? 0
        let known = hostClass(
            HostClassKey(endpoint: number, peerClass: peerClass, isEgress: true))
        let ipProtocol = UInt128(call.ipProtocol)
        return known.cells(of: IntervalSet(ipProtocol...ipProtocol)).contains {
            $0.ports.place(of: UInt128(call.port)) != nil
        }
    }

    /// A call that the endpoint may make.
    private func admitted(_ family: AddressFamily) -> Call? {
        guard let groups = groups[family]?[.egress] else { return nil }
        let mine = HostAddress.plain(
            set(own.union(known)).intersection(HostAddress.all(family)), family)
        let all = HostAddress.plain(HostAddress.all(family), family).subtracting(mine)
        for case (let group?, let members) in groups.parts(of: all) {
            for opening in OpeningPackets.all(family, .egress) {
                let parts = groups.answers[group].parts(
                    protocols: opening.protocols, ports: opening.ports, byRule: true)
                for case let part in parts {
                    guard case .rule(let rule) = part.answer,
                        let ipProtocol = part.protocols.ranges.first?.lowerBound,
                        let port = part.ports.ranges.first?.lowerBound,
                        let first = members.ranges.first?.lowerBound
                    else { continue }
                    return Call(
                        remote: family == .v4 ? HostAddress.mapped.lowerBound | first : first,
                        ipProtocol: UInt8(ipProtocol), port: UInt16(port), rule: rule)
                }
            }
        }
        return nil
    }

    /// Flows go on as long as their rule is live, whatever the rest of the maps says.
    mutating func holdFlows(_ flows: [HostFlow]) {
        for flow in flows where index.isLive(flow.slot, flow.mark, at: number) {
            if rule(for: flow) != nil { continue }
            let reason =
                own.contains(flow.local)
                ? Expectation.noRule
                : .refused("its source is not the endpoint's own address")
            report(
                HostFilterFinding(
                    kind: .opens, endpoint: party(place), interface: interface,
                    packet: packet(of: flow, .established), policy: reason.side,
                    place: "flows of endpoint \(number)",
                    reason: "a flow that is known goes on by mark \(hex(flow.mark)), live in slot "
                        + "\(flow.slot)"))
        }
    }

    /// What was refused under the policy in force is refused again without another look.
    mutating func holdRefusals(_ flows: [HostFlow]) {
        for flow in flows {
            guard let rule = rule(for: flow) else { continue }
            report(
                HostFilterFinding(
                    kind: .closes, endpoint: party(place), interface: interface,
                    packet: packet(of: flow, .new), policy: Expectation.admitted(rule).side,
                    place: "refused flows of endpoint \(number)",
                    reason: "it is remembered as refused by the policy in force"))
        }
    }

    /// What processors have judged before is judged by that until the next change.
    mutating func holdJudgements(_ judgements: [HostJudgement]) {
        for judgement in judgements {
            let sender = judgement.flow.isEgress ? 0 : judgement.flow.sender ?? 0
            let isNobody = sender != 0 && index.holders[sender] == nil
            let remote = judgement.flow.remote
            guard !own.union(known).contains(remote),
                sender == 0 || isNobody || index.holders[sender]?.count == 1,
                let local = own.intersection(known).sorted().first(where: {
                    HostAddress.address($0).family == HostAddress.address(remote).family
                })
            else { continue }
            let flow = judgement.flow.at(local)
            let rule = isNobody ? nil : rule(for: flow)
            let isLive = index.isLive(flow.slot, flow.mark, at: number)
            let expectation: Expectation
            switch (judgement.isAdmitted, rule) {
            case (true, nil) where isLive: expectation = .noRule
            case (false, let rule?): expectation = .admitted(rule)
            default: continue
            }
            report(
                HostFilterFinding(
                    kind: judgement.isAdmitted ? .opens : .closes, endpoint: party(place),
                    interface: interface,
                    packet: packet(
                        flow.direction, sender, remote, flow.ipProtocol, flow.calledPort,
                        local: local),
                    policy: expectation.side, place: "judgements of endpoint \(number)",
                    reason: judgement.isAdmitted
                        ? "it is remembered as admitted by mark \(hex(flow.mark)), live in slot "
                            + "\(flow.slot)"
                        : "it is remembered as refused by the policy in force"))
        }
    }

    /// The rule that policies admit a flow by, judged by who called.
    private func rule(for flow: HostFlow) -> Rule? {
        let isGroup = HostAddress.address(flow.local).isMulticastOrBroadcast
        guard own.contains(flow.local) || !flow.isEgress && isGroup,
            let found = answers(for: flow),
            let answers = groups[found.family]?[flow.direction]?.answers[found.group]
        else { return nil }
        let ipProtocol = UInt128(flow.ipProtocol)
        let port = UInt128(flow.calledPort)
        let parts = answers.parts(
            protocols: IntervalSet(ipProtocol...ipProtocol), ports: IntervalSet(port...port),
            byRule: true)
        for part in parts { if case .rule(let rule) = part.answer { return rule } }
        return nil
    }

    private func answers(for flow: HostFlow) -> Answers? {
        guard !flow.isEgress else { return answers(flow.remote, .egress) }
        let sender = flow.sender ?? 0
        let holders = index.holders[sender] ?? []
        let theirs = holders.count == 1 ? holders.first.flatMap { index.addresses[$0] } : nil
        if index.locals.contains(flow.remote) {
            return theirs?.contains(flow.remote) ?? false ? answers(flow.remote, .ingress) : nil
        }
        return theirs.map(lowest) ?? answers(flow.remote, .ingress)
    }

    private func packet(
        of flow: HostFlow, _ state: CounterexamplePacket.FlowState
    ) -> CounterexamplePacket {
        let ipProtocol = IPProtocol(rawValue: flow.ipProtocol)
        let (near, far) = (HostAddress.address(flow.local), HostAddress.address(flow.remote))
        let sender = flow.isEgress ? 0 : flow.sender ?? 0
        let mark = index.state.mark(of: sender)
        return CounterexamplePacket(
            direction: flow.isEgress ? .outgoing : .incoming, source: flow.isEgress ? near : far,
            destination: flow.isEgress ? far : near, ipProtocol: ipProtocol,
            sourcePort: ipProtocol.hasPorts ? flow.callingPort : nil,
            destinationPort: ipProtocol.hasPorts ? flow.calledPort : nil,
            type: ipProtocol.isICMP ? UInt8(flow.calledPort >> 8) : nil,
            code: ipProtocol.isICMP ? UInt8(flow.calledPort & 0xff) : nil, state: state,
            interface: interface,
            details: sender == 0 ? [] : ["packet mark 0x\(String(mark, radix: 16))"])
    }
}

extension HostFlow {
    /// The same, of one of the endpoint's addresses.
    fileprivate func at(_ local: UInt128) -> HostFlow {
        HostFlow(
            endpoint: endpoint, isEgress: isEgress, local: local, remote: remote,
            ipProtocol: ipProtocol, localPort: localPort, remotePort: remotePort, sender: sender,
            slot: slot, mark: mark)
    }

    fileprivate var direction: Direction { isEgress ? .egress : .ingress }

    /// Type and code of a request stand on one side only.
    fileprivate var calledPort: UInt16 {
        isEgress || IPProtocol(rawValue: ipProtocol).isICMP ? remotePort : localPort
    }

    fileprivate var callingPort: UInt16 { isEgress ? localPort : remotePort }
}

extension HostFilterState {
    /// The mark that says that an endpoint sent a packet.
    func mark(of sender: UInt32) -> UInt32 {
        let settings = programs.values.lazy.compactMap(\.settings).first
        return sender << (settings?.identityShift ?? 16)
    }
}
