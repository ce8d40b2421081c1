internal import NetTypes
internal import Policy

/// Which chain is asked, and by what flows.
struct ChainQuestion: Hashable {
    let chain: Int
    let family: AddressFamily
    /// Whether the endpoint is the called end.
    let isCalled: Bool
}

/// That a chain does with every flow what the policies say.
struct ChainProof {
    let classes: Int
    let packets: Int
    /// The marks that it gives to flows, and the rules that admit those.
    let marks: [UInt32: Rule]
    /// Those that it leaves behind on flows whose packet it drops.
    let marksOfDropped: Set<UInt32>
}

/// Packets come to the same few chains on many ways: first ones, later ones in both directions,
/// errors, each with and without what rules before have asked. What such a chain does is found
/// once, for flows of which nothing is known.
extension EndpointProof {
    /// Whether what is known of a chain decides about packets that came to it.
    mutating func settles(
        _ state: MachineState, _ judgement: Judgement, _ memo: inout LookupMemo
    ) -> Bool {
        let scenario = judgement.scenario
        guard judgement.isLeftToPolicies(state.space) else { return false }
        let question = ChainQuestion(
            chain: state.chain, family: scenario.family, isCalled: scenario.isCalled)
        let path = path(scenario, state.space)
        guard let proof = answer(question, path, &memo) else { return false }
        guard scenario.flow == .first ? credit(proof, question) : agrees(proof, question) else {
            return false
        }
        count(path, classes: 1)
        return true
    }

    /// Credits a chain's marks to their rules; false where one is another rule's already.
    private mutating func credit(_ proof: ChainProof, _ question: ChainQuestion) -> Bool {
        if creditedChains.contains(question) { return true }
        for (mark, rule) in proof.marks {
            if let other = marks[mark], other.id != rule.id { return false }
        }
        for (mark, rule) in proof.marks {
            marks[mark] = rule
            credited.insert(
                CreditedRule(id: rule.id, direction: question.isCalled ? .ingress : .egress))
        }
        creditedChains.insert(question)
        return true
    }

    /// Whether flows that are known go on as what admits them: what has a rule's mark is the rule's.
    private mutating func agrees(_ proof: ChainProof, _ question: ChainQuestion) -> Bool {
        if let known = agreeing[question] { return known }
        let agrees =
            proof.marksOfDropped.allSatisfy { marks[$0] == nil }
            && proof.marks.allSatisfy { mark, rule in marks[mark].map { $0.id == rule.id } ?? true }
        agreeing[question] = agrees
        return agrees
    }

    private mutating func answer(
        _ question: ChainQuestion, _ path: AuditPath, _ memo: inout LookupMemo
    ) -> ChainProof? {
        if let known = proven[question] { return known }
        let found = proof(question, &memo)
        if let found { count(path, classes: found.classes, packets: found.packets) }
        proven[question] = .some(found)
        return found
    }

    /// Follows all flows through the chain: any addresses, any ports, any mark, confirmed or not.
    ///
    /// They contain those of every scenario, as long as no rule asks on which way packets are: what
    /// rules read of a flow is the same for all packets of it. Differences are looked at by who
    /// follows the packets in earnest, so the first one ends the attempt.
    private func proof(_ question: ChainQuestion, _ memo: inout LookupMemo) -> ChainProof? {
        let scenario = Scenario(
            family: question.family, way: question.isCalled ? .incoming : .outgoing,
            flow: .known(reply: false))
        var machine = machine(scenario, memo)
        memo = LookupMemo()
        defer { memo = machine.memo }
        let fields = ProofFields(&machine.fields)
        let translated = StatusBit.sourceTranslated | StatusBit.destinationTranslated
        var space = Space()
        space.set(
            Place.connectionStatus,
            Domain.all(bytes: 4)
                .split(by: .init(mask: UInt128(translated), value: 0), bytes: 4).inside)
        guard let start = machine.entry(of: question.chain, space) else { return nil }
        var leaves: [Leaf] = []
        machine.follow(from: start) { leaves.append($0) }
        if machine.asksForWay { return nil }
        let judgement = Judgement(
            scenario: scenario, fields: fields, own: IntervalSet(), backed: BackedMarks([]),
            groups: groups[question.family] ?? [:])
        let realm = Realm(
            scenario: scenario, deliverable: IntervalSet(), own: IntervalSet(), fields: fields)
        return proof(of: leaves, judgement, realm, machine)
    }

    private func proof(
        of leaves: [Leaf], _ judgement: Judgement, _ realm: Realm, _ machine: Machine
    ) -> ChainProof? {
        var marks: [UInt32: Rule] = [:]
        var marksOfDropped: Set<UInt32> = []
        var classes = 0
        for leaf in leaves {
            let passes = leaf.fate == .passes
            // Nothing but marks may be changed about a packet.
            guard passes || leaf.fate == .dropped, leaf.state.changesMarksOnly,
                case .success(let parts) = judgement.ruled(leaf, byRule: passes)
            else { return nil }
            classes += parts.count
            for part in parts {
                if part.expectation.passes != passes {
                    if realm.hasFlows(part.space) { return nil }
                } else if passes {
                    guard add(part, leaf, realm, machine, to: &marks) else { return nil }
                } else if let bytes = leaf.state.written[Place.connectionMark] {
                    for (_, value) in machine.values(of: bytes, in: part.space) {
                        guard let value else { return nil }
                        marksOfDropped.insert(UInt32(truncatingIfNeeded: value))
                    }
                }
            }
        }
        marksOfDropped.remove(0)
        return ChainProof(
            classes: classes, packets: leaves.count, marks: marks, marksOfDropped: marksOfDropped)
    }

    /// Notes the marks that flows are given; false where one is no number or two rules have it.
    private func add(
        _ part: Expected, _ leaf: Leaf, _ realm: Realm, _ machine: Machine,
        to marks: inout [UInt32: Rule]
    ) -> Bool {
        guard let rule = part.expectation.rule, realm.hasFlows(part.space),
            let bytes = leaf.state.written[Place.connectionMark]
        else { return true }
        for (_, value) in machine.values(of: bytes, in: part.space) {
            guard let value else { return false }
            // A mark of 0 is none.
            let mark = UInt32(truncatingIfNeeded: value)
            if mark == 0 { continue }
            if let other = marks[mark], other.id != rule.id { return false }
            marks[mark] = rule
        }
        return true
    }
}

extension MachineState {
    /// Whether what rules have changed can be seen in marks only.
    fileprivate var changesMarksOnly: Bool {
        !isForwarded && translated.isEmpty
            && written.keys.allSatisfy { $0 == Place.connectionMark || $0 == Place.packetMark }
    }
}
