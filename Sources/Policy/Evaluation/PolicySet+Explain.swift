public import NetTypes

extension PolicySet {
    /// Why an endpoint refuses a flow; nil if it doesn't.
    ///
    /// - Parameters:
    ///   - flow: The flow.
    ///   - endpoint: The endpoint at one of its ends.
    ///   - direction: Which end that is.
    ///   - topology: Who lives where.
    ///   - mentions: The index of these policies, for whoever asks often.
    /// - Returns: The closest rule, and what it lacks.
    public func explanation(
        for flow: Flow, at endpoint: Endpoint, direction: Direction, in topology: Topology,
        mentions: MentionIndex? = nil
    ) -> Explanation? {
        guard !endpoint.addresses.contains(flow.peer(direction)) else { return nil }
        let question = question(flow, at: endpoint, direction: direction, in: topology)
        return answer(question, at: direction, mentions).refusal
    }

    /// The rule that admits a flow at an endpoint.
    ///
    /// - Parameters:
    ///   - flow: The flow.
    ///   - endpoint: The endpoint at one of its ends.
    ///   - direction: Which end that is.
    ///   - topology: Who lives where.
    ///   - mentions: The index of these policies.
    /// - Returns: Nil if no rule does.
    public func rule(
        for flow: Flow, at endpoint: Endpoint, direction: Direction, in topology: Topology,
        mentions: MentionIndex
    ) -> Rule? {
        let question = question(flow, at: endpoint, direction: direction, in: topology)
        return answer(question, at: direction, mentions).rule
    }

    /// What is to be said of a refused flow that is the way back of another one: the answer to a call that a
    /// rule admits, which comes when connection tracking knows nothing of the call any more.
    ///
    /// - Parameters:
    ///   - flow: The flow that was refused, with its source port.
    ///   - endpoint: The endpoint that refused it.
    ///   - direction: The direction in which it did.
    ///   - topology: Who lives where.
    ///   - mentions: The index of these policies.
    /// - Returns: Nil where no rule admits the call at the endpoint, or a rule admits the flow itself.
    public func lateAnswer(
        _ flow: Flow, at endpoint: Endpoint, direction: Direction, in topology: Topology,
        mentions: MentionIndex? = nil
    ) -> Explanation? {
        guard flow.ipProtocol.hasPorts, flow.sourcePort != 0,
            explanation(
                for: flow, at: endpoint, direction: direction, in: topology, mentions: mentions)
                != nil
        else { return nil }
        let call = Flow(
            source: flow.destination, destination: flow.source, ipProtocol: flow.ipProtocol,
            sourcePort: flow.destinationPort, destinationPort: flow.sourcePort)
        let question = question(call, at: endpoint, direction: direction.reversed, in: topology)
        return answer(question, at: direction.reversed, mentions).rule.map {
            Explanation(
                rule: RuleReference($0),
                lack: "the rule admits calls from \(question.source.name) to \(question.service) "
                    + "of \(question.destination.name); this looks like an answer to a call that "
                    + "connection tracking no longer knows",
                fix: "no rule is missing: let \(question.source.name) call again, or send "
                    + "something before an idle connection is forgotten "
                    + "(net.netfilter.nf_conntrack_*_timeout)")
        }
    }

    /// What both ends of a flow say to it, and why.
    public func explain(_ flow: Flow, in topology: Topology) -> ExplainReport {
        let question = Question(
            source: end(flow.source, in: topology),
            destination: end(flow.destination, in: topology),
            ipProtocol: flow.ipProtocol, wanted: flow.destinationPort...flow.destinationPort)
        let ends = [Direction.egress, .ingress].compactMap { direction in
            topology.endpoint(with: flow.peer(direction.reversed)).map {
                explain(flow, at: $0, direction: direction, in: topology)
            }
        }
        return ExplainReport(
            source: flow.source.description, destination: flow.destination.description,
            service: question.service, ends: ends)
    }

    /// What policies say to a flow between two parties, whoever is discovered.
    ///
    /// Endpoints of one tenant are taken to be two different ones. Without a port or a message,
    /// the question is whether one rule admits all of them.
    ///
    /// - Throws: `ExplainError` if a party is a tenant that no file declares.
    public func explain(
        from: Party, to: Party, ipProtocol: IPProtocol, port: UInt16? = nil,
        icmp: ICMPMessage? = nil
    ) throws(ExplainError) -> ExplainReport {
        let question = Question(
            source: try end(from), destination: try end(to), ipProtocol: ipProtocol,
            wanted: port.map { $0...$0 } ?? icmp?.range ?? UInt16.min...UInt16.max)
        let ends = [Direction.egress, .ingress].compactMap { direction in
            question.end(direction).tenant.map { tenant in
                let (rule, refusal) = answer(question, at: direction)
                return EndExplanation(
                    tenant: tenant.name, endpoint: nil, direction: direction, rule: rule,
                    refusal: refusal)
            }
        }
        return ExplainReport(
            source: from.description, destination: to.description, service: question.service,
            ends: ends, notes: notes(question, isJudged: !ends.isEmpty),
            isJudged: !ends.isEmpty)
    }

    /// What the answer takes for granted: files don't say who has an address that no tenant pins.
    private func notes(_ question: Question, isJudged: Bool) -> [String] {
        [question.source, question.destination].compactMap { end in
            guard end.tenant == nil, let address = end.address else { return nil }
            let taken =
                isJudged && end.isWorld
                ? "taken for an address of the world, since no tenant pins it"
                : "no tenant pins it, so the files don't say whose it is"
            return
                "\(address): \(taken); for one of an endpoint or of the host, name the tenant or "
                + "write 'host'"
        }
    }

    private func explain(
        _ flow: Flow, at endpoint: Endpoint, direction: Direction, in topology: Topology
    ) -> EndExplanation {
        let isLoopback = endpoint.addresses.contains(flow.peer(direction))
        let question = question(flow, at: endpoint, direction: direction, in: topology)
        let (rule, refusal) = isLoopback ? (nil, nil) : answer(question, at: direction)
        return EndExplanation(
            tenant: endpoint.tenant, endpoint: endpoint.name, direction: direction, rule: rule,
            refusal: refusal)
    }

    private func question(
        _ flow: Flow, at endpoint: Endpoint, direction: Direction, in topology: Topology
    ) -> Question {
        let near = end(endpoint, address: flow.peer(direction.reversed), in: topology)
        let far = end(flow.peer(direction), in: topology)
        return Question(
            source: direction == .egress ? near : far,
            destination: direction == .egress ? far : near,
            ipProtocol: flow.ipProtocol, wanted: flow.destinationPort...flow.destinationPort,
            sourcePort: flow.sourcePort == 0 ? nil : flow.sourcePort)
    }

    /// The rule that admits the flow, or why none does.
    ///
    /// An agent asks for each flow that was never refused before, over a hundred thousand rules:
    /// what a policy's peers lack is worked out once for all of its rules.
    private func answer(
        _ question: Question, at direction: Direction, _ mentions: MentionIndex? = nil
    ) -> (rule: Rule?, refusal: Explanation?) {
        var search = NearestRule(question, at: direction)
        for rules in (mentions ?? MentionIndex(self)).policies(near: question) {
            search.consider(rules)
        }
        guard let nearest = search.nearest else {
            return (nil, question.unanswered(at: direction))
        }
        guard !nearest.lacks.isEmpty else { return (nearest.rule, nil) }
        return (nil, Explanation(nearest.rule, nearest.lacks, question))
    }
}

extension Explanation {
    fileprivate init(_ rule: Rule, _ lacks: [Lack], _ question: Question) {
        self.init(
            rule: RuleReference(rule),
            lack: lacks.map(\.description).joined(separator: "; "),
            fix: Advice(question: question).fix(rule, lacking: lacks))
    }
}

extension Question {
    fileprivate func unanswered(at direction: Direction) -> Explanation {
        let other = end(direction.reversed).name
        let way = direction == .ingress ? "to flows from \(other)" : "to flows to \(other)"
        return Explanation(
            rule: nil, lack: "no rule opens the \(direction) of \(end(direction).name) \(way)",
            fix: Advice(question: self).fix)
    }
}
