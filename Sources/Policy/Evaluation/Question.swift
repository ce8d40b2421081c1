import NetTypes

/// A flow, as far as the asker knows it, that rules are measured against.
struct Question {
    let source: End
    let destination: End
    let ipProtocol: IPProtocol
    /// The destination ports, or the first 16 bits of the messages, that must all be admitted.
    let wanted: ClosedRange<UInt16>
    /// Nil where the asker doesn't know it: any will do.
    var sourcePort: UInt16?

    /// The protocol with the port or the message, in the words of rules.
    var service: String {
        guard wanted != UInt16.min...UInt16.max else { return "\(ipProtocol)" }
        if ipProtocol.hasPorts { return "\(ipProtocol) \(wanted.lowerBound)" }
        return ipProtocol.isICMP ? "\(ipProtocol) \(message)" : "\(ipProtocol)"
    }

    func end(_ direction: Direction) -> End { direction == .egress ? source : destination }

    /// What the rule's peers lack to mean the flow's ends; nil if they are far off.
    func partyLacks(of rule: Rule, at direction: Direction) -> [Lack]? {
        guard speaks(of: rule) else { return nil }
        var lacks = parties(of: rule, at: direction)
        if lacks.distance > turned.distance, isTurned(rule) { lacks = [turned] }
        return lacks.distance <= Lack.farthest ? lacks : nil
    }

    /// What a service lacks beside its rule's peers; empty if the rule admits the flow, nil if all
    /// that it lacks is too much.
    func lacks(of service: Service, beside parties: [Lack]) -> [Lack]? {
        // Of other flows it is never the closest rule: no advice says to make a message of DHCP of one.
        if service.isDHCP { return covers(dhcp: service) ? parties : nil }
        guard let lack = lack(of: service) else { return parties }
        return parties.distance + lack.distance <= Lack.farthest ? parties + [lack] : nil
    }

    /// Whether the rule names one of the two ends, either way round: a quick look, because of most
    /// rules it is false, and then both parties are others and the rule is far off.
    private func speaks(of rule: Rule) -> Bool {
        rule.from.contains { $0.mayMean(source) || $0.mayMean(destination) }
            || rule.to.contains { $0.mayMean(destination) || $0.mayMean(source) }
    }

    private func parties(of rule: Rule, at direction: Direction) -> [Lack] {
        let (near, far): (Lack?, Lack?) =
            direction == .egress
            ? (
                rule.from.lack(opening: source, as: .source, direction: .egress),
                rule.to.lack(of: destination, as: .destination)
            )
            : (
                rule.to.lack(opening: destination, as: .destination, direction: .ingress),
                rule.from.lack(of: source, as: .source)
            )
        return [near, far].compactMap(\.self)
    }

    private var turned: Lack { .turned(from: destination.name, to: source.name) }

    private func isTurned(_ rule: Rule) -> Bool {
        rule.from.lack(of: destination, as: .source) == nil
            && rule.to.lack(of: source, as: .destination) == nil
    }

    private func lack(of service: Service) -> Lack? {
        guard let allowed = service.ipProtocol else { return nil }
        guard allowed == ipProtocol else { return .ipProtocol(ipProtocol, allowed: allowed) }
        guard !service.choices.isEmpty, !covers(service) else { return nil }
        let choices = service.choices + undeclared(service)
        if wanted == UInt16.min...UInt16.max { return .anyPort(allowed: choices) }
        return ipProtocol.isICMP
            ? .message(message, allowed: choices) : .port(wanted.lowerBound, allowed: choices)
    }

    /// Which of the service's names mean no port of whom is called, in words.
    private func undeclared(_ service: Service) -> String {
        guard case .ports(_, _, let names) = service, let tenant = destination.tenant else {
            return ""
        }
        let unknown = names.filter { name in !tenant.ports.contains { $0.name == name } }
        return unknown.isEmpty
            ? "" : " (tenant \(tenant.name) declares no \(unknown.joined(separator: ", ")))"
    }

    private func covers(dhcp service: Service) -> Bool {
        guard ipProtocol == .udp, wanted.count == 1,
            service.admits(DHCP.ipProtocol, destinationPort: wanted.lowerBound, names: [])
        else { return false }
        let family = (source.address ?? destination.address)?.family
        return AddressFamily.allCases.contains {
            let (client, server) = DHCP.ports($0)
            guard family ?? $0 == $0 else { return false }
            let (from, to) = wanted.lowerBound == server ? (client, server) : (server, client)
            return wanted.lowerBound == to && (sourcePort ?? from) == from
        }
    }

    private func covers(_ service: Service) -> Bool {
        let names = destination.tenant?.ports ?? []
        return wanted.allSatisfy {
            service.admits(ipProtocol, destinationPort: $0, names: names)
        }
    }

    var message: ICMPMessage {
        let type = UInt8(wanted.lowerBound >> 8)
        return ICMPMessage(
            type: type,
            code: wanted.count == 1 ? UInt8(truncatingIfNeeded: wanted.lowerBound) : nil)
    }
}

extension [Lack] {
    var distance: Int { reduce(0) { $0 + $1.distance } }
}
