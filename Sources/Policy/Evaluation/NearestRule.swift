import NetTypes

/// The search for the rule that lacks least to admit a flow at one end.
struct NearestRule {
    private let question: Question
    private let direction: Direction
    private(set) var nearest: (rule: Rule, lacks: [Lack])?

    init(_ question: Question, at direction: Direction) {
        self.question = question
        self.direction = direction
    }

    /// Takes the rules of one policy in.
    mutating func consider(_ rules: [Rule]) {
        var known: (rule: Rule, lacks: [Lack]?)?
        for rule in rules {
            if known?.rule.sharesPeers(with: rule) != true {
                let expired = rule.policy.hasExpired ? rule.policy.expires : nil
                known = (
                    rule,
                    question.partyLacks(of: rule, at: direction).map { parties in
                        parties + (expired.map { [.expired($0)] } ?? [])
                    }
                )
            }
            guard let parties = known?.lacks else { continue }
            consider(rule, lacking: parties)
        }
    }

    private mutating func consider(_ rule: Rule, lacking parties: [Lack]) {
        guard nearest.map({ parties.distance <= $0.lacks.distance }) ?? true,
            !rule.policy.isImplied || !parties.contains(where: \.isOtherParty),
            let lacks = question.lacks(of: rule.service, beside: parties)
        else { return }
        let isNearer = nearest.map {
            lacks.distance < $0.lacks.distance
                || lacks.distance == $0.lacks.distance && rule.precedes($0.rule)
        }
        if isNearer ?? true { nearest = (rule, lacks) }
    }
}
