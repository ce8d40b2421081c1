internal import CNetfilter
internal import Synchronization

/// Puts the messages of transactions together: the kernel sends what changed, and last who did it.
struct TransactionReader: ~Copyable, Sendable {
    // Not private: the compiler (6.3) breaks a module in which a private type is in a Mutex of another file.
    struct State {
        var order: [TableName] = []
        var changes: [TableName: TableChange] = [:]
        /// The lower half of the generation, which all messages of a transaction bear (`nfgenmsg.res_id`).
        var generation: [UInt8] = []
    }

    let state = Mutex(State())

    /// Names more tables than this in one transaction, and the rest is left out.
    private static let mostTables = 64

    /// Leaves what is incomplete.
    func forget() { state.withLock { $0 = State() } }

    /// The transactions that a datagram completes.
    func read(_ datagram: [UInt8]) -> [ForeignTransaction] {
        state.withLock { state in
            Message.all(in: datagram[...]).compactMap { message in
                guard let type = message.nfTablesType else { return nil }
                let generation = Array(message.payload.dropFirst(2).prefix(2))
                // The end of another was lost: its changes are not this one's.
                if state.generation != generation { state = State(generation: generation) }
                guard type == UInt16(NFT_MSG_NEWGEN.rawValue) else {
                    Self.add(message, type, to: &state)
                    return nil
                }
                let whole = state
                state = State()
                return ForeignTransaction(message, whole.order.compactMap { whole.changes[$0] })
            }
        }
    }

    private static func add(_ message: Message, _ type: UInt16, to state: inout State) {
        // The name of the table is the first attribute of all that is in one.
        guard let name = message.attributes.first(1)?.text, let family = message.payload.first
        else {
            return
        }
        let table = TableName(family: family, name: name)
        if state.changes[table] == nil {
            guard state.order.count < mostTables else { return }
            state.order.append(table)
            state.changes[table] = TableChange(table)
        }
        state.changes[table]?.add(message.attributes, type)
    }
}

extension ForeignTransaction {
    /// Reads an NFT_MSG_NEWGEN message.
    fileprivate init(_ message: Message, _ changes: [TableChange]) {
        let attributes = message.attributes
        func number(_ type: nft_gen_attributes) -> UInt32? {
            attributes.first(UInt16(type.rawValue)).map { UInt32(truncatingIfNeeded: $0.number) }
        }
        generation = number(NFTA_GEN_ID) ?? 0
        pid = number(NFTA_GEN_PROC_PID).flatMap { Int32(exactly: $0) }
        process = attributes.first(UInt16(NFTA_GEN_PROC_NAME.rawValue))?.text
        self.changes = changes
    }
}

extension TableChange {
    /// Takes one message of the transaction in.
    fileprivate mutating func add(_ attributes: Attributes, _ type: UInt16) {
        func text(_ type: UInt16) -> String { attributes.first(type)?.text ?? "" }
        switch nf_tables_msg_types(rawValue: UInt32(type)) {
        case NFT_MSG_NEWTABLE: fate = .added
        case NFT_MSG_DELTABLE: fate = .removed
        case NFT_MSG_NEWCHAIN:
            let name = text(UInt16(NFTA_CHAIN_NAME.rawValue))
            if let place = Self.place(attributes) {
                hooked.append(Hooked(name: name, place: place))
            } else {
                plainChains += 1
            }
        case NFT_MSG_DELCHAIN: goneChains.append(text(UInt16(NFTA_CHAIN_NAME.rawValue)))
        case NFT_MSG_NEWRULE:
            addedRules += 1
            note(ruleChain: text(UInt16(NFTA_RULE_CHAIN.rawValue)))
            effects.formUnion(Self.effects(attributes))
        case NFT_MSG_DELRULE:
            removedRules += 1
            note(ruleChain: text(UInt16(NFTA_RULE_CHAIN.rawValue)))
        case NFT_MSG_NEWSETELEM:
            addedElements += 1
            note(set: text(UInt16(NFTA_SET_ELEM_LIST_SET.rawValue)))
        case NFT_MSG_DELSETELEM:
            removedElements += 1
            note(set: text(UInt16(NFTA_SET_ELEM_LIST_SET.rawValue)))
        // Sets, objects and flow tables have their names in the same place.
        default: note(set: text(UInt16(NFTA_SET_NAME.rawValue)))
        }
    }

    /// Where a chain hangs; nil for one that is called by others only.
    static func place(_ attributes: Attributes) -> String? {
        guard let hook = attributes.first(UInt16(NFTA_CHAIN_HOOK.rawValue))?.nested else {
            return nil
        }
        let type = attributes.first(UInt16(NFTA_CHAIN_TYPE.rawValue))?.text ?? "filter"
        let number = hook.first(UInt16(NFTA_HOOK_HOOKNUM.rawValue))?.number ?? 0
        let priority = Int32(
            truncatingIfNeeded: hook.first(UInt16(NFTA_HOOK_PRIORITY.rawValue))?.number ?? 0)
        let names = ["prerouting", "input", "forward", "output", "postrouting", "ingress"]
        let name = Int(exactly: number).flatMap { names.indices.contains($0) ? names[$0] : nil }
        return "type \(type) hook \(name ?? "\(number)") priority \(priority)"
    }

    private static func effects(_ rule: Attributes) -> Set<Effect> {
        guard let list = rule.first(UInt16(NFTA_RULE_EXPRESSIONS.rawValue)) else { return [] }
        var effects: Set<Effect> = []
        for element in list.nested {
            let name = element.nested.first(UInt16(NFTA_EXPR_NAME.rawValue))?.text
            let data = element.nested.first(UInt16(NFTA_EXPR_DATA.rawValue))?.nested
            switch name {
            case "nat", "masq", "redir": effects.insert(.translate)
            case "notrack": effects.insert(.untracked)
            case "tproxy", "dup", "fwd", "queue": effects.insert(.redirect)
            // What has a source register is written, not read.
            case "meta" where data?.first(UInt16(NFTA_META_SREG.rawValue)) != nil,
                "ct" where data?.first(UInt16(NFTA_CT_SREG.rawValue)) != nil:
                effects.insert(.mark)
            case "immediate":
                let verdict = data?.first(UInt16(NFTA_IMMEDIATE_DATA.rawValue))?.nested
                    .first(UInt16(NFTA_DATA_VERDICT.rawValue))?.nested
                    .first(UInt16(NFTA_VERDICT_CODE.rawValue))?.number
                // NF_ACCEPT of linux/netfilter.h.
                if verdict == 1 { effects.insert(.accept) }
            default: continue
            }
        }
        return effects
    }
}
