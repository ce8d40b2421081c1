internal import NetTypes
internal import Policy

extension HostEndpointProof {
    mutating func hold(
        _ peerClass: UInt32, _ answers: Answers?, _ family: AddressFamily, _ direction: Direction,
        _ sender: UInt32, _ address: UInt128, _ refusal: String? = nil
    ) {
        let pair = Pair(
            peerClass: peerClass, answers: answers, family: family, direction: direction)
        let differences = compared[pair] ?? compare(pair)
        compared[pair] = differences
        for difference in differences {
            report(difference, direction, sender, address, peerClass, refusal)
        }
    }

    private mutating func compare(_ pair: Pair) -> [Difference] {
        let isEgress = pair.direction == .egress
        let key = HostClassKey(
            endpoint: number, peerClass: pair.peerClass, isEgress: isEgress)
        let kernel = kernel[key] ?? hostClass(key)
        self.kernel[key] = kernel
        let answers = pair.answers.flatMap { groups[$0.family]?[pair.direction]?.answers[$0.group] }
        var differences: [Difference] = []
        for opening in OpeningPackets.all(pair.family, pair.direction) {
            for cell in kernel.cells(of: opening.protocols) {
                let parts =
                    answers?.parts(protocols: cell.protocols, ports: opening.ports, byRule: true)
                    ?? [.init(protocols: cell.protocols, ports: opening.ports, answer: .noRule)]
                for part in parts {
                    differences += compare(part, cell.ports, kernel, pair.direction)
                }
            }
        }
        return differences
    }

    private mutating func compare(
        _ part: PolicyAnswers.Part, _ ports: RangeTable, _ kernel: HostClass,
        _ direction: Direction
    ) -> [Difference] {
        let (found, rest) = ports.parts(of: part.ports)
        kinds += found.count + (rest.isEmpty ? 0 : 1)
        let ipProtocol = UInt8(part.protocols.ranges.first?.lowerBound ?? 0)
        func difference(
            _ kind: HostFilterFinding.Kind, _ ports: IntervalSet<UInt128>, _ rule: Rule?,
            _ admission: HostAdmission?
        ) -> Difference {
            Difference(
                kind: kind, ipProtocol: ipProtocol,
                port: UInt16(ports.ranges.first?.lowerBound ?? 0), rule: rule,
                admission: admission)
        }
        guard case .rule(let rule) = part.answer else {
            return found.map { difference(.opens, $0.numbers, nil, kernel.admissions[$0.place]) }
        }
        var differences = rest.isEmpty ? [] : [difference(.closes, rest, rule, nil)]
        for here in found {
            let admission = kernel.admissions[here.place]
            if !credit(admission.mark, rule, direction) {
                differences.append(difference(.misattributes, here.numbers, rule, admission))
            }
        }
        return differences
    }

    /// Credits a mark to a rule; false where it is another's, or the rule has another.
    private mutating func credit(_ mark: UInt32, _ rule: Rule, _ direction: Direction) -> Bool {
        let credited = Credited(rule: rule.id, direction: direction)
        let (known, other) = (ruleOf[mark] ?? credited, markOf[credited] ?? mark)
        ruleOf[mark] = known
        markOf[credited] = other
        return known == credited && other == mark
    }

    func hostClass(_ key: HostClassKey) -> HostClass {
        guard key.peerClass != 0 else { return HostClass([], shape: 0) { _ in false } }
        let shapes = key.isEgress ? entry.egressShapes : entry.ingressShapes
        // Where no class has any other, single ports are all that is asked for.
        let shape = shapes & ~(1 << 16) == 0 ? 0 : index.state.shapes[key] ?? 0
        return HostClass(index.state.admissions[key] ?? [], shape: shape) {
            index.isLive($0.slot, $0.mark, at: number)
        }
    }
}
