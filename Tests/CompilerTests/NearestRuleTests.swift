import NetTypes
import TestSupport
import Testing

@testable import Policy

/// The rule that an explanation names, against a search that looks at each rule by itself.
@Suite struct NearestRuleTests {
    @Test(arguments: Seeds.all)
    func `no nearer rule is passed over`(_ seed: UInt64) throws {
        let world = SmallWorld()
        var random = SeededGenerator(seed: seed)
        var named = 0
        for _ in 1...2 {
            var files = RandomPolicies(seed: random.next())
            var mentions = MentionIndex(try files.policySet())
            for _ in 1...4 {
                let edited = files.edit()
                mentions.follow(try files.policySet(), changed: edited)
            }
            let set = try files.policySet()
            let topology = world.topology(of: set)
            for endpoint in topology.endpoints {
                var probes = RandomProbes(
                    seed: random.next(), at: endpoint, in: world, policies: set)
                for index in 0..<40 {
                    guard let probe = probes.probe(index % 2 == 0 ? .ingress : .egress) else {
                        break
                    }
                    let (flow, direction) = (probe.flow, probe.direction)
                    if endpoint.addresses.contains(flow.peer(direction)) { continue }
                    let question = set.plainQuestion(flow, at: endpoint, direction, in: topology)
                    let nearest = set.plainNearest(question, at: direction)
                    let found = set.explanation(
                        for: flow, at: endpoint, direction: direction, in: topology,
                        mentions: mentions)
                    guard let nearest, !nearest.lacks.isEmpty else {
                        #expect(found?.rule == nil, "seed \(seed): \(probe)")
                        #expect((found == nil) == (nearest != nil), "seed \(seed): \(probe)")
                        continue
                    }
                    named += 1
                    let lack = nearest.lacks.map(\.description).joined(separator: "; ")
                    #expect(found?.rule?.id == nearest.rule.id, "seed \(seed): \(probe)")
                    #expect(found?.lack == lack, "seed \(seed): \(probe)")
                }
            }
        }
        #expect(named > 20)
    }
}

extension PolicySet {
    fileprivate func plainQuestion(
        _ flow: Flow, at endpoint: Endpoint, _ direction: Direction, in topology: Topology
    ) -> Question {
        let near = end(endpoint, address: flow.peer(direction.reversed), in: topology)
        let far = end(flow.peer(direction), in: topology)
        return Question(
            source: direction == .egress ? near : far,
            destination: direction == .egress ? far : near, ipProtocol: flow.ipProtocol,
            wanted: flow.destinationPort...flow.destinationPort)
    }

    fileprivate func plainNearest(
        _ question: Question, at direction: Direction
    ) -> (rule: Rule, lacks: [Lack])? {
        var nearest: (rule: Rule, lacks: [Lack])?
        for rule in files.values.flatMap(\.rules) {
            // No flow lacks little to be a message of DHCP, and the probes are none.
            if rule.service.isDHCP { continue }
            let lacks = question.plainLacks(of: rule, at: direction)
            guard lacks.distance <= Lack.farthest,
                !rule.policy.isImplied || !lacks.contains(where: \.isOtherParty)
            else { continue }
            if let best = nearest,
                best.lacks.distance < lacks.distance
                    || best.lacks.distance == lacks.distance && best.rule.precedes(rule)
            {
                continue
            }
            nearest = (rule, lacks)
        }
        return nearest
    }
}

extension Question {
    fileprivate func plainLacks(of rule: Rule, at direction: Direction) -> [Lack] {
        var lacks =
            direction == .egress
            ? [
                rule.from.lack(opening: source, as: .source, direction: .egress),
                rule.to.lack(of: destination, as: .destination),
            ].compactMap(\.self)
            : [
                rule.to.lack(opening: destination, as: .destination, direction: .ingress),
                rule.from.lack(of: source, as: .source),
            ].compactMap(\.self)
        let turned = Lack.turned(from: destination.name, to: source.name)
        if lacks.distance > turned.distance, rule.from.lack(of: destination, as: .source) == nil,
            rule.to.lack(of: source, as: .destination) == nil
        {
            lacks = [turned]
        }
        // Whatever the service lacks comes last.
        return lacks + (self.lacks(of: rule.service, beside: []) ?? [])
    }
}
