internal import NetTypes

/// What a packet meets on its way, in order.
enum Stage: Hashable {
    case chain(Int)
    /// From here on the packet has its flow.
    case connectionTracking
    /// Chains of type `nat`, asked for the first packet of a flow until one translates it.
    case translation([Int])
    /// Where the kernel decides whether the packet is for the namespace itself.
    case routing
    /// What is not followed: chains of a family or hook that is not understood.
    case unknown(Int, String)
}

extension FlatRuleset {
    /// NF_INET_* of linux/netfilter.h.
    private enum Hook: UInt32 {
        case prerouting = 0
        case input = 1
        case forward = 2
        case output = 3
        case postrouting = 4
        case ingress = 5
    }

    /// The stages of a way.
    func stages(
        _ way: CounterexamplePacket.PacketDirection, _ family: AddressFamily
    ) -> [Stage] {
        switch way {
        case .incoming:
            arrival(family) + [.routing] + hook(.input, family)
        case .outgoing:
            hook(.output, family) + hook(.postrouting, family) + netdev(1)
        case .forwarded:
            arrival(family) + hook(.forward, family) + hook(.postrouting, family) + netdev(1)
        }
    }

    private func arrival(_ family: AddressFamily) -> [Stage] {
        netdev(0) + hook(.ingress, family) + hook(.prerouting, family)
    }

    /// The chains of the family `netdev`: 0 is ingress, 1 egress.
    private func netdev(_ number: UInt32) -> [Stage] {
        base { $0.family == .netdev && $1.hook == number }.enumerated()
            .sorted {
                (chains[$0.element].chain.base?.priority ?? 0, -$0.offset)
                    < (chains[$1.element].chain.base?.priority ?? 0, -$1.offset)
            }
            .map { .chain($0.element) }
    }

    private func hook(_ hook: Hook, _ family: AddressFamily) -> [Stage] {
        let own: Table.Family = family == .v4 ? .ip : .ip6
        let all = base { table, base in
            (table.family == .inet || table.family == own) && base.hook == hook.rawValue
        }
        var stages: [(priority: Int32, stage: Stage)] = []
        let translators = all.filter { chains[$0].chain.base?.type == "nat" }
        for index in all where !translators.contains(index) {
            stages.append((chains[index].chain.base?.priority ?? 0, .chain(index)))
        }
        if !translators.isEmpty {
            // NF_IP_PRI_NAT_DST and NF_IP_PRI_NAT_SRC, whatever the chains' own priorities are.
            let priority: Int32 = hook == .prerouting || hook == .output ? -100 : 100
            stages.append((priority, .translation(translators)))
        }
        if hook == .prerouting || hook == .output {
            // NF_IP_PRI_CONNTRACK
            stages.append((-200, .connectionTracking))
        }
        return stages.enumerated()
            .sorted { ($0.element.priority, -$0.offset) < ($1.element.priority, -$1.offset) }
            .map(\.element.stage)
    }

    /// Base chains, as they were made: of one priority the kernel asks the last one first
    /// (`nf_hook_entries_grow`).
    private func base(where isMeant: (Table, Chain.Base) -> Bool) -> [Int] {
        chains.indices.filter { index in
            guard let base = chains[index].chain.base else { return false }
            let table = tables[chains[index].table]
            return !table.isDormant && isMeant(table, base)
        }
    }

    /// Base chains that no way leads through.
    var unfollowed: [Int] {
        base { table, _ in table.family == .bridge }
    }
}
