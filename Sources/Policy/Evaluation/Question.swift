import NetTypes

/// A flow, as far as the asker knows it, that rules are measured against.
struct Question {
    let source: End
    let destination: End
    let ipProtocol: IPProtocol
    /// The destination ports, or the first 16 bits of the messages, that must all be admitted.
    let wanted: ClosedRange<UInt16>

    /// The protocol with the port or the message, in the words of rules.
    var service: String {
        guard wanted != UInt16.min...UInt16.max else { return "\(ipProtocol)" }
        if ipProtocol.hasPorts { return "\(ipProtocol) \(wanted.lowerBound)" }
        return ipProtocol.isICMP ? "\(ipProtocol) \(message)" : "\(ipProtocol)"
    }

    func end(_ direction: Direction) -> End { direction == .egress ? source : destination }

    /// What the rule lacks to admit the flow at one end; empty if it does, nil if it is far off.
    func lacks(of rule: Rule, at direction: Direction) -> [Lack]? {
        var lacks = parties(of: rule, at: direction)
        if lacks.distance > turned.distance, isTurned(rule) { lacks = [turned] }
        guard lacks.distance <= Lack.farthest else { return nil }
        if let lack = lack(of: rule.service) { lacks.append(lack) }
        return lacks.distance <= Lack.farthest ? lacks : nil
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
        let choices = service.choices
        guard !choices.isEmpty, !covers(service) else { return nil }
        if wanted == UInt16.min...UInt16.max { return .anyPort(allowed: choices) }
        return ipProtocol.isICMP
            ? .message(message, allowed: choices) : .port(wanted.lowerBound, allowed: choices)
    }

    private func covers(_ service: Service) -> Bool {
        let names = destination.tenant?.ports ?? []
        return wanted.allSatisfy {
            service.admits(ipProtocol, destinationPort: $0, names: names)
        }
    }

    private var message: ICMPMessage {
        let type = UInt8(wanted.lowerBound >> 8)
        return ICMPMessage(
            type: type,
            code: wanted.count == 1 ? UInt8(truncatingIfNeeded: wanted.lowerBound) : nil)
    }
}

extension [Lack] {
    var distance: Int { reduce(0) { $0 + $1.distance } }
}
