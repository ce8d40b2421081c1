internal import NetTypes

/// Follows packets through a ruleset, the way `nft_do_chain` does, all packets at once.
///
/// Where packets part, at a comparison or a set, each part goes on by itself. What comes out is a
/// tree whose leaves are kinds of packets: no constant of the rules tells two packets of one leaf
/// apart. A single packet is the case in which nothing parts.
struct Machine {
    let ruleset: FlatRuleset
    let scenario: Scenario
    let interfaces: [InterfaceName]
    var fields: FieldTable
    /// What is known of the sets, kept from run to run of one ruleset.
    var memo: LookupMemo
    /// Chains that flows are not followed into: where they come to one, they are kept.
    var stops: Set<Int> = []
    /// What has come to such a chain.
    private(set) var stopped: [MachineState] = []
    /// Whether a rule has asked for something that the scenario decides, or on which way packets are.
    var asksForWay = false
    /// How many expressions were evaluated.
    private(set) var work = 0
    private let stages: [Stage]
    private let forwardStages: [Stage]
    /// Addresses that packets are delivered to when a rule has changed their destination.
    private let local: AddressSet

    /// A leaf that more than so many others lead to is given up.
    static let limit = 4_000_000

    init(
        _ ruleset: FlatRuleset, _ scenario: Scenario, interfaces: [InterfaceName],
        local: AddressSet, memo: LookupMemo = LookupMemo()
    ) {
        self.ruleset = ruleset
        self.memo = memo
        self.scenario = scenario
        self.interfaces = interfaces
        self.local = local
        fields = FieldTable(scenario.family)
        let stages = ruleset.stages(scenario.way, scenario.family)
        let arrival = stages.prefix { $0 != .routing }
        self.stages = stages
        forwardStages =
            scenario.way == .incoming
            ? Array(ruleset.stages(.forwarded, scenario.family).dropFirst(arrival.count)) : []
    }

    /// Follows packets to every end that they can come to.
    mutating func follow(_ space: Space, visit: (Leaf) -> Void) {
        follow(from: MachineState(space: space, tracking: .later), visit: visit)
    }

    /// Follows packets from somewhere on their way.
    mutating func follow(from start: MachineState, visit: (Leaf) -> Void) {
        var pending = [start]
        while let state = pending.popLast() {
            walk(state, &pending, visit)
            guard work > Self.limit else { continue }
            // All of them: what one stands for may be packets that can't be.
            for state in pending {
                visit(Leaf(state: state, fate: .unknown("more kinds of packets than fit")))
            }
            return
        }
    }

    private mutating func walk(
        _ start: MachineState, _ pending: inout [MachineState], _ visit: (Leaf) -> Void
    ) {
        var state = start
        while true {
            if state.chain < 0 {
                guard enterStage(&state, visit) else { return }
                continue
            }
            let chain = ruleset.chains[state.chain]
            guard state.rule < chain.rules.count else {
                if !leave(&state, visit) { return }
                continue
            }
            let rule = chain.rules[state.rule]
            guard state.expression < rule.count else {
                state.rule += 1
                state.expression = 0
                continue
            }
            work += 1
            if pass(rule[state.expression], &state, &pending) { continue }
            var branches = perform(rule[state.expression], state)
            guard let last = branches.popLast() else { return }
            for branch in branches {
                if let next = settle(branch, visit) { pending.append(next) }
            }
            guard let next = settle(last, visit) else { return }
            state = next
        }
    }

    /// Packets of tracked flows that have just come to a chain of the last stage; nil where the
    /// last stage is none.
    func entry(of chain: Int, _ space: Space) -> MachineState? {
        guard case .chain = stages.last else { return nil }
        var state = MachineState(space: space, tracking: .tracked)
        state.stage = stages.count - 1
        state.chain = chain
        return state
    }

    /// Whether packets that go to a chain are at the end of their way as they came: nothing but
    /// the chain decides about them, and nothing but their fields tells them apart.
    private func stops(at chain: Int, _ state: MachineState) -> Bool {
        guard stops.contains(chain), !state.isForwarded, state.stage == stages.count - 1,
            case .chain = stages[state.stage]
        else { return false }
        return state.tracking == .tracked && state.calls.isEmpty && state.written.isEmpty
            && state.translated.isEmpty
    }

    /// Begins the next stage; false at the end of the way.
    private func enterStage(_ state: inout MachineState, _ visit: (Leaf) -> Void) -> Bool {
        let stages = state.isForwarded ? forwardStages : stages
        guard state.stage < stages.count else {
            visit(Leaf(state: state, fate: .passes))
            return false
        }
        let stage = stages[state.stage]
        switch stage {
        case .chain(let chain):
            state.chain = chain
            state.rule = 0
            state.expression = 0
        case .connectionTracking:
            if state.tracking == .later {
                state.tracking = scenario.flow == .none ? .untracked : .tracked
            }
            state.stage += 1
        case .translation(let chains):
            // Packets of known flows are translated as the first one was.
            let isAsked = scenario.flow == .first && state.tracking == .tracked
            guard isAsked, let first = chains.first else {
                state.stage += 1
                return true
            }
            state.chain = first
            state.rule = 0
            state.expression = 0
        case .routing:
            if let written = state.written[Place.destination], !isLocal(written) {
                state.isForwarded = true
                state.stage = 0
            } else {
                state.stage += 1
            }
        case .unknown(let chain, let reason):
            state.chain = chain
            visit(Leaf(state: state, fate: .unknown(reason)))
            return false
        }
        return true
    }

    private func isLocal(_ bytes: [SymbolicByte]) -> Bool {
        guard let address = IPAddress(bytes: bytes.compactMap(\.constant)) else { return false }
        return address.isLoopback || local.contains(address)
    }

    /// Comes to the end of a chain's rules; false where the packet's way ends.
    private mutating func leave(_ state: inout MachineState, _ visit: (Leaf) -> Void) -> Bool {
        if let call = state.calls.popLast() {
            state.chain = call.chain
            state.rule = call.rule + 1
            state.expression = 0
            return true
        }
        // The chain may have been gone to from the base chain.
        asksForWay = true
        let base = baseChain(of: state)
        state.steps.append(.init(chain: base))
        if ruleset.chains[base].chain.base?.accepts ?? true {
            passStage(&state)
            return true
        }
        visit(Leaf(state: state, fate: .dropped))
        return false
    }

    private func baseChain(of state: MachineState) -> Int {
        let stages = state.isForwarded ? forwardStages : stages
        switch stages[state.stage] {
        case .chain(let chain): return chain
        case .translation(let chains):
            // Chains of one hook stand in one table mostly; the one that is being asked has it.
            let table = ruleset.chains[state.chain].table
            return chains.first { ruleset.chains[$0].table == table } ?? chains[0]
        default: return state.chain
        }
    }

    /// Goes on behind a base chain that has accepted.
    private func passStage(_ state: inout MachineState) {
        let stages = state.isForwarded ? forwardStages : stages
        if case .translation(let chains) = stages[state.stage] {
            let base = baseChain(of: state)
            let isDone = !state.translated.isEmpty
            if !isDone, let index = chains.firstIndex(of: base), index + 1 < chains.count {
                state.chain = chains[index + 1]
                state.rule = 0
                state.expression = 0
                state.calls = []
                return
            }
        }
        state.stage += 1
        state.chain = -1
        state.calls = []
    }

    /// Takes an effect; nil where the packet's way has ended.
    private mutating func settle(_ branch: Branch, _ visit: (Leaf) -> Void) -> MachineState? {
        var state = branch.state
        switch branch.effect {
        case .next: state.expression += 1
        case .miss:
            state.rule += 1
            state.expression = 0
        case .again: break
        case .stop(let reason):
            state.note()
            visit(Leaf(state: state, fate: .unknown(reason)))
            return nil
        case .verdict(let verdict): return take(verdict, state, visit)
        }
        return state
    }

    private mutating func take(
        _ verdict: RuleVerdict, _ state: MachineState, _ visit: (Leaf) -> Void
    ) -> MachineState? {
        var state = state
        switch verdict {
        case .accept:
            state.note()
            passStage(&state)
            return state
        case .drop:
            state.note()
            visit(Leaf(state: state, fate: .dropped))
            return nil
        case .goOn:
            state.expression += 1
            return state
        case .back:
            return leave(&state, visit) ? state : nil
        case .queue:
            state.note()
            visit(Leaf(state: state, fate: .unknown("queue: a program decides")))
            return nil
        case .jump(let name), .goTo(let name):
            let target = ruleset.chain(name, in: ruleset.chains[state.chain].table)
            guard target >= 0 else {
                visit(Leaf(state: state, fate: .unknown("chain '\(name)' was not read")))
                return nil
            }
            state.note()
            if ruleset.chains[target].drops {
                state.chain = target
                visit(Leaf(state: state, fate: .dropped))
                return nil
            }
            if case .goTo = verdict, stops(at: target, state) {
                state.chain = target
                state.rule = 0
                state.expression = 0
                stopped.append(state)
                return nil
            }
            // NFT_JUMP_STACK_SIZE
            if case .jump = verdict {
                state.calls.append(.init(chain: state.chain, rule: state.rule))
                if state.calls.count > 16 {
                    visit(Leaf(state: state, fate: .unknown("more than 16 jumps in a row")))
                    return nil
                }
            }
            state.chain = target
            state.rule = 0
            state.expression = 0
            return state
        }
    }
}

/// A link of the namespace as rules name it.
public struct InterfaceName: Hashable, Sendable {
    public let index: UInt32
    public let name: String

    public init(index: UInt32, name: String) {
        self.index = index
        self.name = name
    }
}
