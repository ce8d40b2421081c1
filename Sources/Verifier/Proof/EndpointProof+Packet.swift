internal import NetTypes

/// One packet out of many.
extension EndpointProof {
    func packet(of space: Space, _ trial: Trial) -> CounterexamplePacket {
        let scenario = trial.scenario
        let sample = Sample(space: space, trial: trial)
        let ipProtocol = IPProtocol(rawValue: UInt8(sample.number(Place.layer4, like: 6)))
        var source = sample.address(Place.source)
        var destination = sample.address(Place.destination)
        let own = subject.addresses.filter { $0.family == scenario.family }
        // Of all the addresses that would do, the endpoint's own is the one to try.
        if scenario.way == .incoming,
            let address = own.first(where: { sample.allows($0, Place.destination) })
        {
            destination = address
        } else if scenario.way == .outgoing,
            let address = own.first(where: { sample.allows($0, Place.source) })
        {
            source = address
        }
        let ports = ports(sample, ipProtocol, scenario)
        let isICMP = ipProtocol.isICMP
        let message = isICMP ? message(sample, scenario) : nil
        return CounterexamplePacket(
            direction: scenario.way, source: source, destination: destination,
            ipProtocol: ipProtocol, sourcePort: ports?.source, destinationPort: ports?.destination,
            type: message?.type, code: message?.code, state: state(sample, scenario),
            connectionMark: mark(sample, scenario), interface: interface(sample, scenario),
            details: scenario.flow == .known(reply: true)
                ? sample.details + ["in answer to a flow that its receiver opened"]
                : sample.details)
    }

    private func ports(
        _ sample: Sample, _ ipProtocol: IPProtocol, _ scenario: Scenario
    ) -> (source: UInt16, destination: UInt16)? {
        guard ipProtocol.hasPorts else { return nil }
        let caller = UInt16(sample.number(Place.flowSource, like: 40_000))
        let called = UInt16(sample.number(Place.flowDestination, like: 8080))
        return scenario.isReply ? (called, caller) : (caller, called)
    }

    private func message(_ sample: Sample, _ scenario: Scenario) -> (type: UInt8, code: UInt8) {
        let like: UInt128 = scenario.family == .v4 ? 8 : 128
        if scenario.flow == .none || scenario.isError || scenario.isReply {
            let type = sample.number(sample.trial.realm.fields.type, like: like)
            return (UInt8(type), 0)
        }
        let both = sample.number(Place.flowDestination, like: like << 8)
        return (UInt8(both >> 8), UInt8(both & 0xff))
    }

    private func state(
        _ sample: Sample, _ scenario: Scenario
    ) -> CounterexamplePacket.FlowState {
        let bit = UInt32(sample.number(sample.trial.realm.fields.state, like: 0))
        return switch scenario.flow {
        case .first: bit == StateBit.related ? .related : .new
        case .known: .established
        case .error: .related
        case .none: bit == StateBit.untracked ? .untracked : .invalid
        }
    }

    private func mark(_ sample: Sample, _ scenario: Scenario) -> UInt32? {
        switch scenario.flow {
        case .first, .none: nil
        case .known, .error: UInt32(sample.number(Place.connectionMark, like: 0))
        }
    }

    private func interface(_ sample: Sample, _ scenario: Scenario) -> String? {
        let place = scenario.way == .outgoing ? Place.output : Place.input
        let names = subject.interfaces
        if let known = names.first(where: {
            $0.index != 1 && sample.domain(place).contains(UInt128($0.index))
        }) {
            return known.name
        }
        return sample.domain(place).only == 1 ? "lo" : nil
    }
}

/// Picks numbers of a space.
struct Sample {
    let space: Space
    let trial: Trial

    func domain(_ field: Int) -> Domain {
        space.domain(field, width: trial.machine.fields.widths[field])
    }

    /// The liked number where it is allowed, else the first.
    func number(_ field: Int, like: UInt128) -> UInt128 {
        let domain = domain(field)
        return domain.contains(like) ? like : domain.first
    }

    func address(_ field: Int) -> IPAddress {
        let number = domain(field).first
        return trial.scenario.family == .v4
            ? .v4(UInt32(truncatingIfNeeded: number)) : .v6(number)
    }

    func allows(_ address: IPAddress, _ field: Int) -> Bool {
        domain(field).contains(UInt128(networkBytes: address.bytes))
    }

    /// What else rules look at, in words.
    var details: [String] {
        let table = trial.machine.fields
        return (0..<space.count).compactMap { index in
            guard let domain = space.narrowed(index) else { return nil }
            let first = domain.first
            return switch table.fields[index] {
            case .hopLimit: "hop limit \(first)"
            case .packetMark: "packet mark 0x\(String(first, radix: 16))"
            case .payload(let base, let offset) where offset > 0 || base != .transport:
                "byte \(offset) of the \(base) header is 0x\(String(first, radix: 16))"
            case .meta(let key): "meta key \(key) is \(first)"
            case .ct(let key, _) where key != 0 && key != 10: "ct key \(key) is \(first)"
            case .hasExtensions: first == 0 ? nil : "with extension headers"
            case .header(_, let type, _): "option \(type) \(first == 0 ? "absent" : "present")"
            case .chance(let chain, let rule, let expression) where expression >= 0:
                "while rule \(rule + 1) of the chain numbered \(chain + 1)"
                    + (first == 0 ? " is over its limit" : " is within its limit")
            default: nil
            }
        }
    }
}
