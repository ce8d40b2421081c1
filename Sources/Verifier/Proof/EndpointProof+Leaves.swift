internal import NetTypes
internal import Policy

extension EndpointProof {
    /// Holds what becomes of a leaf's packets against what is expected.
    mutating func hold(_ leaf: Leaf, _ trial: Trial) {
        if case .unknown(let reason) = leaf.fate {
            guard !trial.realm.possible(leaf.state.space).isEmpty else { return }
            count(path(trial.scenario, leaf.state.space), classes: 0)
            obscure(reason, leaf)
            return
        }
        // Neighbours and routers are heard on every way, and never part of a flow: what policies
        // say to each of their peers is not asked.
        let layer4 = leaf.state.space.domain(Place.layer4, width: 1).only
        if layer4 == UInt128(trial.scenario.icmp),
            trial.realm.possible(leaf.state.space).isEmpty
        {
            return count(path(trial.scenario, leaf.state.space), classes: 1)
        }
        let passes = leaf.fate == .passes
        // Whose rule it is matters for what a flow keeps, and for what is told of a difference.
        let marks = leaf.state.written[Place.connectionMark] != nil
        let byRule = passes && (trial.scenario.flow == .first || marks)
        switch trial.judgement.expected(of: leaf, byRule: byRule) {
        case .failure(let obscure): self.obscure(obscure.reason, leaf)
        case .success(let parts):
            count(path(trial.scenario, leaf.state.space), classes: parts.count)
            if !byRule, parts.contains(where: { $0.expectation.passes != passes }) {
                guard case .success(let parts) = trial.judgement.expected(of: leaf, byRule: true)
                else { return }
                return hold(parts, leaf, trial)
            }
            hold(parts, leaf, trial)
        }
    }

    private mutating func hold(_ parts: [Expected], _ leaf: Leaf, _ trial: Trial) {
        let passes = leaf.fate == .passes
        for part in parts {
            if passes != part.expectation.passes {
                differ(part, leaf, trial, passes ? .opens : .closes)
                continue
            }
            if passes { holdChanges(part, leaf, trial) }
            if trial.scenario.flow != .first { holdMark(part, leaf, trial) }
        }
    }

    /// What a packet that rightly passes leaves behind: its mark, its addresses.
    private mutating func holdChanges(_ part: Expected, _ leaf: Leaf, _ trial: Trial) {
        let isLoopback = path(trial.scenario, part.space) == .loopback
        if leaf.state.isForwarded, !isLoopback { differ(part, leaf, trial, .changes) }
        if trial.scenario.way == .outgoing, !isLoopback,
            let written = leaf.state.written[Place.source],
            !leaf.state.translated.contains(.masquerade)
        {
            let address = IPAddress(bytes: written.compactMap(\.constant))
            if address.map({ !endpoint.addresses.contains($0) }) ?? true {
                differ(part, leaf, trial, .changes)
            }
        }
        guard trial.scenario.flow == .first, let rule = part.expectation.rule,
            let bytes = leaf.state.written[Place.connectionMark]
        else { return }
        for (space, value) in trial.machine.values(of: bytes, in: part.space) {
            let part = Expected(space: space, expectation: part.expectation)
            guard let value else {
                differ(part, leaf, trial, .misattributes)
                continue
            }
            hold(UInt32(truncatingIfNeeded: value), of: rule, part, leaf, trial)
        }
    }

    /// What a later packet writes into the mark of its flow, whether it passes itself or not: the packets
    /// after it go by the rule whose mark that is.
    private mutating func holdMark(_ part: Expected, _ leaf: Leaf, _ trial: Trial) {
        guard let bytes = leaf.state.written[Place.connectionMark] else { return }
        for (space, value) in trial.machine.values(of: bytes, in: part.space) {
            let rule = value.flatMap { marks[UInt32(truncatingIfNeeded: $0)] }
            guard value == nil || rule != nil, rule?.id != part.expectation.rule?.id || rule == nil
            else { continue }
            let part = Expected(space: space, expectation: part.expectation)
            differ(part, leaf, trial, .misattributes)
        }
    }

    /// Credits a mark to the rule that gives it; there is one rule for each mark.
    private mutating func hold(
        _ mark: UInt32, of rule: Rule, _ part: Expected, _ leaf: Leaf, _ trial: Trial
    ) {
        // A mark of 0 is none: every packet is judged anew.
        if mark == 0 { return }
        if let other = marks[mark], other.id != rule.id {
            differ(part, leaf, trial, .misattributes)
        } else if !trial.realm.possible(part.space).isEmpty {
            marks[mark] = rule
            credited.insert(
                CreditedRule(
                    id: rule.id, direction: trial.scenario.isCalled ? .ingress : .egress))
        }
    }

    mutating func count(_ path: AuditPath, classes: Int, packets: Int = 1) {
        paths[path, default: PathAudit(path: path)].classes += classes
        paths[path, default: PathAudit(path: path)].packets += packets
    }

    private mutating func obscure(_ reason: String, _ leaf: Leaf) {
        report(
            Unproven(
                place: leaf.state.steps.last.map { place($0) }, reason: reason,
                fix: "take the rule out, or write it with what the audit knows: docs/audit.md"))
    }

    mutating func report(_ unproven: Unproven) {
        if audit.unproven.count < Self.findingLimit, !audit.unproven.contains(unproven) {
            audit.unproven.append(unproven)
        }
    }

    private mutating func differ(
        _ part: Expected, _ leaf: Leaf, _ trial: Trial, _ kind: Finding.Kind
    ) {
        guard let space = trial.realm.possible(part.space).first else { return }
        var path = path(trial.scenario, space)
        if !part.expectation.passes, part.expectation.reason.contains("own address") {
            path = .spoofed
        }
        let key = FindingKey(
            kind: kind, path: path, rule: part.expectation.rule?.id, step: leaf.state.steps.last)
        if let index = known[key] {
            audit.findings[index].classes += 1
            return
        }
        guard audit.findings.count < Self.findingLimit else { return }
        known[key] = audit.findings.count
        let (met, narrow) = trial.exact(leaf, space)
        let packet = packet(of: narrow, trial)
        let peer = packet.direction == .outgoing ? packet.destination : packet.source
        audit.findings.append(
            Finding(
                kind: kind, path: path, packet: packet,
                peer: policies.topology.endpoint(with: peer)
                    .map { PartyNamed(tenant: $0.tenant, endpoint: $0.name) },
                policy: part.expectation.side, kernel: side(met)))
    }

    func path(_ scenario: Scenario, _ space: Space) -> AuditPath {
        let place = scenario.way == .outgoing ? Place.output : Place.input
        if scenario.way == .forwarded { return .forwarded }
        if space.domain(place, width: 4).only == 1 { return .loopback }
        switch scenario.flow {
        case .none: return .control
        case .first: return scenario.isCalled ? .newIngress : .newEgress
        case .known, .error: return .established
        }
    }

    /// What the kernel does, and where.
    private func side(_ leaf: Leaf) -> KernelSide {
        let places = leaf.state.steps.suffix(8).map { place($0) }
        let passes = leaf.fate == .passes
        let last = leaf.state.steps.last
        let isPolicy = last?.rule == -1
        let chain = last.map { ruleset.chains[$0.chain].chain.name } ?? ""
        let reason =
            passes
            ? places.isEmpty ? "no chain looks at it" : "every chain on its way accepts it"
            : isPolicy
                ? "the policy of chain \(chain) drops it" : "a rule of chain \(chain) drops it"
        return KernelSide(passes: passes, places: places, reason: reason)
    }

    func place(_ step: MachineState.Step) -> KernelPlace {
        let chain = ruleset.chains[step.chain]
        let table = ruleset.tables[chain.table]
        let rule =
            step.rule >= 0 && step.rule < chain.chain.rules.count
            ? chain.chain.rules[step.rule] : nil
        let set = step.set >= 0 ? ruleset.sets[step.set].set : nil
        let element = set.flatMap { step.element >= 0 ? $0.elements[step.element] : nil }
        return KernelPlace(
            family: "\(table.family)", table: table.name, chain: chain.chain.name,
            handle: rule?.handle, comment: rule?.comment, set: set?.name,
            element: element.map { Self.text(of: $0, in: ruleset.sets[step.set]) },
            elementComment: element?.comment)
    }

    /// A key as text: addresses of 16 bytes as such, ports and protocols as numbers, others in
    /// hexadecimal digits.
    private static func text(of element: NamedSet.Element, in index: SetIndex) -> String {
        if element.isCatchAll { return "*" }
        func text(_ bytes: ArraySlice<UInt8>) -> String {
            switch bytes.count {
            case 1, 2: "\(UInt32(networkBytes: bytes))"
            case 16: IPAddress(bytes: bytes)?.description ?? ""
            default: "0x" + bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
            }
        }
        return index.parts.map { offset, length in
            let low = text(element.low.dropFirst(offset).prefix(length))
            let high = text(element.high.dropFirst(offset).prefix(length))
            return low == high ? low : "\(low)-\(high)"
        }.joined(separator: " . ")
    }
}
