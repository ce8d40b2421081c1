import NetTypes
import Rules
import TestSupport

/// One change to what a namespace holds, made behind the agent's back.
struct Mutation {
    let kind: String
    /// What is given to `nft`.
    let commands: String
}

/// Chooses changes to a table that was made from a state.
struct Mutator {
    let state: EndpointState
    /// The table's rules as `nft` lists them: chain, text, handle.
    let rules: [(chain: String, text: String, handle: Int)]

    private static let table = "inet ringfence"

    /// A change of any kind; nil where the state has nothing for that kind.
    func mutation(_ random: inout SeededGenerator) -> Mutation? {
        switch random.number(0...13) {
        case 0, 1: admission(&random)
        case 2, 3: peer(&random)
        case 4: liveRule(&random)
        case 5: own(&random)
        case 6, 7: rule(&random)
        case 8: inserted(&random)
        case 9: chain(&random)
        default: foreign(&random)
        }
    }

    private func admission(_ random: inout SeededGenerator) -> Mutation? {
        let direction: Direction = random.once(in: 2) ? .ingress : .egress
        // Messages of DHCP have maps of their own, with other keys.
        let all = state.admissions(direction).filter { !$0.isDHCP }
        guard !all.isEmpty else { return nil }
        let one = random.pick(all)
        let delete = "delete element \(place(one, direction))"
        func add(_ other: Admission) -> String {
            delete + "\nadd element \(place(other, direction, value: true))"
        }
        switch random.number(0...3) {
        case 0: return Mutation(kind: "admission removed", commands: delete)
        case 1:
            let other = random.pick(all).peerClass
            return Mutation(
                kind: "admission moved",
                commands: add(
                    Admission(
                        peerClass: other, protocols: one.protocols, ports: one.ports,
                        rule: one.rule)))
        case 2:
            let high = min(Int(one.ports.upperBound) + random.number(1...3), 65_535)
            return Mutation(
                kind: "admission widened",
                commands: add(
                    Admission(
                        peerClass: one.peerClass, protocols: one.protocols,
                        ports: one.ports.lowerBound...UInt16(high), rule: one.rule)))
        default:
            let low = min(Int(one.ports.lowerBound) + 1, Int(one.ports.upperBound))
            return Mutation(
                kind: "admission narrowed",
                commands: add(
                    Admission(
                        peerClass: one.peerClass, protocols: one.protocols,
                        ports: UInt16(low)...one.ports.upperBound, rule: one.rule)))
        }
    }

    /// An element with its map, as `nft` takes it.
    private func place(
        _ one: Admission, _ direction: Direction, value: Bool = false
    ) -> String {
        let map = one.isSingle ? "admit" : "ranges"
        let side = direction == .ingress ? "in" : "out"
        return "\(Self.table) \(map)_\(side) { \(key(one))\(value ? " : \(one.rule)" : "") }"
    }

    private func key(_ one: Admission) -> String {
        "\(one.peerClass) . \(text(one.protocols)) . \(text(one.ports))"
    }

    private func text(_ range: ClosedRange<some FixedWidthInteger>) -> String {
        range.lowerBound == range.upperBound
            ? "\(range.lowerBound)" : "\(range.lowerBound)-\(range.upperBound)"
    }

    private func peer(_ random: inout SeededGenerator) -> Mutation? {
        let four = state.peers4.map {
            (
                IPAddress.v4($0.addresses.lowerBound), IPAddress.v4($0.addresses.upperBound),
                $0.peerClass
            )
        }
        let six = state.peers6.map {
            (
                IPAddress.v6($0.addresses.lowerBound), IPAddress.v6($0.addresses.upperBound),
                $0.peerClass
            )
        }
        let all = four + six
        guard !all.isEmpty else { return nil }
        let (low, high, peerClass) = random.pick(all)
        let set = low.family == .v4 ? "peers4" : "peers6"
        func range(_ low: IPAddress, _ high: IPAddress) -> String {
            low == high ? "\(low)" : "\(low)-\(high)"
        }
        let delete = "delete element \(Self.table) \(set) { \(range(low, high)) }"
        switch random.number(0...2) {
        case 0: return Mutation(kind: "peer removed", commands: delete)
        case 1:
            let other = random.pick(all).2
            return Mutation(
                kind: "peer moved",
                commands: delete
                    + "\nadd element \(Self.table) \(set) { \(range(low, high)) : \(other) }")
        default:
            return Mutation(
                kind: "peer widened",
                commands: delete
                    + "\nadd element \(Self.table) \(set) { \(range(low, high.next)) : \(peerClass) }"
            )
        }
    }

    private func liveRule(_ random: inout SeededGenerator) -> Mutation? {
        if random.once(in: 2), let mark = state.rules.marks.randomElement(using: &random) {
            return Mutation(
                kind: "live rule removed",
                commands: "delete element \(Self.table) rules { \(mark) }")
        }
        let mark = Mark.rule(hash: random.next())
        return Mutation(
            kind: "live rule added",
            commands: "add element \(Self.table) rules { \(mark) : accept }")
    }

    private func own(_ random: inout SeededGenerator) -> Mutation? {
        if random.once(in: 2), let address = state.own.randomElement(using: &random) {
            let set = address.family == .v4 ? "own4" : "own6"
            return Mutation(
                kind: "own address removed",
                commands: "delete element \(Self.table) \(set) { \(address) }")
        }
        return random.once(in: 2)
            ? Mutation(
                kind: "own address added",
                commands: "add element \(Self.table) own4 { 10.2.0.77 }")
            : Mutation(
                kind: "own address added",
                commands: "add element \(Self.table) own6 { fd00:2::77 }")
    }

    private func rule(_ random: inout SeededGenerator) -> Mutation? {
        guard !rules.isEmpty else { return nil }
        let rule = random.pick(rules)
        let delete = "delete rule \(Self.table) \(rule.chain) handle \(rule.handle)"
        if random.once(in: 2) { return Mutation(kind: "rule deleted", commands: delete) }
        let place = random.once(in: 2) ? "add" : "insert"
        return Mutation(
            kind: "rule moved",
            commands: delete + "\n\(place) rule \(Self.table) \(rule.chain) \(rule.text)")
    }

    private func inserted(_ random: inout SeededGenerator) -> Mutation? {
        let chain = random.pick(["input", "output", "judge_in", "judge_out", "refused", "forward"])
        let text = random.pick([
            "accept", "counter", "tcp dport 8080 accept", "udp dport 53 drop",
            "ct state new accept",
            "ip saddr 10.2.0.1 accept", "ip6 saddr fd00:2::1 drop", "ct mark 0x80000001 accept",
            "meta l4proto icmp drop", "ct state established accept", "log prefix \"x\"",
            "limit rate over 1/day drop", "ip6 hoplimit 255 accept",
        ])
        return Mutation(
            kind: "rule inserted", commands: "insert rule \(Self.table) \(chain) \(text)")
    }

    /// A base chain with another policy, or hung up at another place on its hook: a chain can't be
    /// moved, so it is made anew with the rules that it has.
    private func chain(_ random: inout SeededGenerator) -> Mutation? {
        let name = random.pick(["input", "output", "forward"])
        if random.once(in: 2) {
            return Mutation(
                kind: "chain policy",
                commands: "add chain \(Self.table) \(name) "
                    + "{ type filter hook \(name) priority 0; policy accept; }")
        }
        let priority = random.pick([-310, -150, -10, 10, 90])
        let own = rules.filter { $0.chain == name }
        let made = own.map { "add rule \(Self.table) \(name) \($0.text)" }
        return Mutation(
            kind: "chain priority",
            commands: """
                flush chain \(Self.table) \(name)
                delete chain \(Self.table) \(name)
                add chain \(Self.table) \(name) { type filter hook \(name) priority \(priority); policy drop; }

                """ + made.joined(separator: "\n"))
    }

    private func foreign(_ random: inout SeededGenerator) -> Mutation? {
        let hook = random.pick(["input", "output", "forward", "prerouting"])
        let priority = random.pick([-310, -150, -10, 10, 90])
        let rule = random.pick([
            "accept", "counter", "tcp dport 22 drop", "udp dport 53 drop", "ct state invalid drop",
            "meta mark set 0x1", "ct mark set 0x80000001", "ct mark set 0x0", "notrack",
            "ip saddr 10.2.0.1 drop", "ip saddr 203.0.113.9 ip daddr 203.0.113.8 drop",
            "tcp dport 5000-6000 accept", "meta l4proto { tcp, udp } accept", "icmp type 8 drop",
            "ip ttl set 64", "iifname \"lo\" drop", "limit rate over 1/second drop",
            "ct state new ct mark set 0x80000007",
        ])
        let policy = random.once(in: 5) ? "drop" : "accept"
        return Mutation(
            kind: "foreign table",
            commands: """
                table inet stranger {
                  chain c { type filter hook \(hook) priority \(priority); policy \(policy); \(rule); }
                }
                """)
    }
}

extension IPAddress {
    fileprivate var next: IPAddress {
        switch self {
        case .v4(let number): .v4(number == .max ? number : number + 1)
        case .v6(let number): .v6(number == .max ? number : number + 1)
        }
    }
}
