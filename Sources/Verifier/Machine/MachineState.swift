/// Packets on their way through the chains, all of which have met the same so far.
struct MachineState {
    var space: Space
    /// What rules have written over a field, most significant byte first.
    var written: [Int: [SymbolicByte]] = [:]
    var tracking: Tracking
    var registers = [SymbolicByte](repeating: .zero, count: 64)
    var stage = 0
    /// Whether the packet turned out to be for somebody else.
    var isForwarded = false
    var chain = -1
    var rule = 0
    var expression = 0
    /// Where jumps go back to.
    var calls: [Call] = []
    /// What was found on the way and led to the verdict.
    var steps: [Step] = []
    /// Which kinds of translation the flow has.
    var translated: Set<Expression.Translation.Kind> = []

    enum Tracking: Hashable {
        /// Connection tracking comes later on the way.
        case later
        case tracked
        /// A rule has taken the packet out, or it can't be tracked.
        case untracked
    }

    struct Call {
        let chain: Int
        let rule: Int
    }

    /// Something in the ruleset that a packet met.
    struct Step: Hashable {
        let chain: Int
        let rule: Int
        let set: Int
        let element: Int

        init(chain: Int, rule: Int = -1, set: Int = -1, element: Int = -1) {
            self.chain = chain
            self.rule = rule
            self.set = set
            self.element = element
        }
    }

    init(space: Space, tracking: Tracking) {
        self.space = space
        self.tracking = tracking
    }

    mutating func note(set: Int = -1, element: Int = -1) {
        steps.append(Step(chain: chain, rule: rule, set: set, element: element))
    }

    func with(_ space: Space) -> MachineState {
        var copy = self
        copy.space = space
        return copy
    }
}

/// What an expression does to the packets that meet it.
enum Effect {
    case next
    /// The rule doesn't match.
    case miss
    /// To be looked at again, now that less is open.
    case again
    case verdict(RuleVerdict)
    /// What happens from here on can't be told.
    case stop(String)
}

/// Some of the packets, and what an expression does to them.
struct Branch {
    var state: MachineState
    let effect: Effect

    init(_ state: MachineState, _ effect: Effect) {
        self.state = state
        self.effect = effect
    }
}

/// Packets at the end of their way.
struct Leaf {
    let state: MachineState
    let fate: Fate

    enum Fate: Hashable {
        case passes
        case dropped
        case unknown(String)
    }
}
