public import NetTypes
internal import Policy

/// One endpoint as it was found.
public struct EndpointSubject: Sendable {
    /// Its place in the topology.
    public let index: Int
    /// Every address that its interfaces have.
    public let addresses: [IPAddress]
    public let interfaces: [InterfaceName]
    public let ruleset: Ruleset

    public init(
        index: Int, addresses: [IPAddress], interfaces: [InterfaceName], ruleset: Ruleset
    ) {
        self.index = index
        self.addresses = addresses
        self.interfaces = interfaces
        self.ruleset = ruleset
    }
}

/// Holds what the kernel has for an endpoint against what the policies say, for all packets.
public struct EndpointProof {
    let policies: PolicyIndex
    let subject: EndpointSubject
    let endpoint: Endpoint
    let ruleset: FlatRuleset
    let openings: [PolicyOpening]
    var audit: EndpointAudit
    /// By mark: the rule whose flows carry it.
    var marks: [UInt32: Rule] = [:]
    var backed = BackedMarks([])
    /// The rules that new flows are credited to.
    var credited: Set<CreditedRule> = []
    /// What a finding is told apart by, and where it stands.
    var known: [FindingKey: Int] = [:]
    var paths: [AuditPath: PathAudit] = [:]
    var groups: [AddressFamily: [Direction: PolicyGroups]] = [:]
    /// What runs learn of the sets, for those that follow.
    private var memo = LookupMemo()
    /// Chains that may do the same whatever way packets come to them.
    let judging: Set<Int>
    /// What was found of them; nil where they have to be followed each time.
    var proven: [ChainQuestion: ChainProof?] = [:]
    /// Those whose marks are credited to rules.
    var creditedChains: Set<ChainQuestion> = []
    /// Whether those give flows that are known no other rule's mark.
    var agreeing: [ChainQuestion: Bool] = [:]
    private let present: AddressSet

    /// More than so many findings of one endpoint are counted and not listed.
    static let findingLimit = 64

    /// A rule at one end of the flows that it admits: each end has a mark of its own.
    struct CreditedRule: Hashable {
        let id: RuleID
        let direction: Direction
    }

    struct FindingKey: Hashable {
        let kind: Finding.Kind
        let path: AuditPath
        let rule: RuleID?
        let step: MachineState.Step?
    }

    public init(_ policies: PolicyIndex, _ subject: EndpointSubject) {
        self.init(policies, subject, followsAll: false)
    }

    /// With `followsAll`, nothing is found once for several ways; it takes longer and says the same.
    init(_ policies: PolicyIndex, _ subject: EndpointSubject, followsAll: Bool) {
        self.policies = policies
        self.subject = subject
        endpoint = policies.topology.endpoints[subject.index]
        ruleset = FlatRuleset(subject.ruleset)
        openings = policies.openings(of: subject.index)
        judging = followsAll || !ruleset.isTidy ? [] : ruleset.judging
        present = AddressSet(subject.addresses)
        audit = EndpointAudit(
            namespace: endpoint.id, name: endpoint.name, tenant: endpoint.tenant,
            addresses: endpoint.addresses)
        audit.tables = subject.ruleset.tables.map { table in
            TableAudit(
                family: "\(table.family)", name: table.name,
                isOwn: table.family == .inet && table.name == "ringfence",
                chains: table.chains.count, rules: table.chains.reduce(0) { $0 + $1.rules.count },
                elements: table.sets.reduce(0) { $0 + $1.elements.count })
        }
        for family in AddressFamily.allCases {
            for direction in Direction.allCases {
                groups[family, default: [:]][direction] =
                    PolicyGroups(openings, direction, family)
            }
        }
    }

    /// Follows every kind of packet through the kernel's rules.
    public consuming func result() -> EndpointAudit {
        for index in ruleset.unfollowed {
            report(
                Unproven(
                    place: place(.init(chain: index)),
                    reason: "tables of the family 'bridge' are not followed",
                    fix: "remove the table, or don't bridge inside the endpoint"))
        }
        for family in AddressFamily.allCases {
            run(Scenario(family: family, way: .incoming, flow: .first))
            run(Scenario(family: family, way: .outgoing, flow: .first))
        }
        backByComments()
        backed = BackedMarks(marks.keys)
        for family in AddressFamily.allCases {
            for way in [CounterexamplePacket.PacketDirection.incoming, .outgoing] {
                for flow in [
                    Scenario.Flow.known(reply: false), .known(reply: true), .error(reply: false),
                    .error(reply: true), .none,
                ] { run(Scenario(family: family, way: way, flow: flow)) }
            }
            // Flows may have been forwarded before there was a table.
            for flow in [
                Scenario.Flow.first, .known(reply: false), .known(reply: true),
                .error(reply: false), .error(reply: true), .none,
            ] {
                run(Scenario(family: family, way: .forwarded, flow: flow))
            }
        }
        audit.paths = AuditPath.allCases.compactMap { paths[$0] }
        return audit
    }

    private mutating func run(_ scenario: Scenario) {
        let family = scenario.family
        var machine = machine(scenario, memo)
        memo = LookupMemo()
        let fields = ProofFields(&machine.fields)
        let own = AddressSet(endpoint.addresses).numbers(family)
        let judgement = Judgement(
            scenario: scenario, fields: fields, own: own,
            backed: backed, groups: groups[family] ?? [:])
        let realm = Realm(
            scenario: scenario, deliverable: deliverable(family),
            own: present.numbers(family), fields: fields)
        machine.stops = judging
        var leaves: [Leaf] = []
        machine.follow(start(scenario, fields)) { leaves.append($0) }
        machine.stops = []
        for state in machine.stopped where !settles(state, judgement, &machine.memo) {
            machine.follow(from: state) { leaves.append($0) }
        }
        let trial = Trial(scenario: scenario, judgement: judgement, realm: realm, machine: machine)
        for leaf in leaves { hold(leaf, trial) }
        memo = trial.machine.memo
    }

    func machine(_ scenario: Scenario, _ memo: LookupMemo) -> Machine {
        Machine(ruleset, scenario, interfaces: subject.interfaces, local: present, memo: memo)
    }

    /// All packets of a scenario.
    private func start(_ scenario: Scenario, _ fields: ProofFields) -> Space {
        var space = Space()
        let links = Domain(IntervalSet(1...0xffff_ffff))
        let beyond = Domain(IntervalSet(2...0xffff_ffff))
        switch scenario.way {
        case .incoming:
            space.set(Place.input, links)
            space.set(Place.output, .single(0))
        case .outgoing:
            space.set(Place.input, .single(0))
            space.set(Place.output, links)
        case .forwarded:
            space.set(Place.input, beyond)
            space.set(Place.output, beyond)
        }
        let states = scenario.states.map { UInt128($0)...UInt128($0) }
        space.set(fields.state, Domain(IntervalSet(states)))
        let translated = StatusBit.sourceTranslated | StatusBit.destinationTranslated
        let early = StatusBit.confirmed | StatusBit.seenReply | StatusBit.assured
        var mask = translated | StatusBit.confirmed
        var value = StatusBit.confirmed
        switch scenario.flow {
        case .first: (mask, value) = (translated | early, 0)
        case .known(true):
            mask |= StatusBit.seenReply
            value |= StatusBit.seenReply
        default: break
        }
        let cube = Domain.Cube(mask: UInt128(mask), value: UInt128(value))
        space.set(
            Place.connectionStatus, Domain.all(bytes: 4).split(by: cube, bytes: 4).inside)
        if scenario.isError { space.set(Place.layer4, .single(UInt128(scenario.icmp))) }
        return space
    }

    /// Where packets can be addressed so that they reach the endpoint: its addresses, groups, and
    /// whatever may be the broadcast address of one of its networks.
    private func deliverable(_ family: AddressFamily) -> IntervalSet<UInt128> {
        var ranges = present.numbers(family).ranges
        guard family == .v4 else { return IntervalSet(ranges + [(0xff << 120)...UInt128.max]) }
        for range in ranges {
            for length in 8..<31 {
                let last = range.lowerBound | (0xffff_ffff >> UInt128(length))
                ranges.append(last...last)
            }
        }
        return IntervalSet(ranges + [0xe000_0000...0xefff_ffff, 0xffff_ffff...0xffff_ffff])
    }

    /// Marks of rules that no new flow gets, because earlier rules admit the same: what the element
    /// says of itself is held against the policies.
    private mutating func backByComments() {
        var claimed: [CreditedRule: Rule] = [:]
        for opening in openings {
            for rule in opening.rules {
                let one = CreditedRule(id: rule.id, direction: opening.direction)
                if !credited.contains(one) { claimed[one] = rule }
            }
        }
        for set in subject.ruleset.tables.flatMap(\.sets) where set.keyLength == 4 {
            for element in set.elements where element.low == element.high {
                guard case .verdict(.accept) = element.value, let comment = element.comment,
                    let one = CreditedRule(comment), let rule = claimed[one]
                else { continue }
                let mark = UInt32(networkBytes: element.low.reversed())
                if marks[mark] == nil { marks[mark] = rule }
            }
        }
    }
}

extension EndpointProof.CreditedRule {
    /// What a live rule's element says of itself at its end: `in` or `out`, and the rule's id.
    fileprivate init?(_ comment: String) {
        let words = comment.split(separator: " ").suffix(2)
        guard words.count == 2, let word = words.last, word.first == "#",
            let id = RuleID(word.dropFirst())
        else { return nil }
        switch words.first {
        case "in": self.init(id: id, direction: .ingress)
        case "out": self.init(id: id, direction: .egress)
        default: return nil
        }
    }
}
