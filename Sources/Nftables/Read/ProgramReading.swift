internal import CNetfilter
internal import NetTypes
internal import Rules

/// The constant part of a table as the kernel holds it, to be held against `Program`.
struct ProgramReading {
    private var sets: [String: (flags: UInt32, keyLength: UInt32, dataLength: UInt32)] = [:]
    private var chains: [String: Chain] = [:]
    private var rules: [String: [(handle: UInt64, expressions: [Expression?])]] = [:]
    /// The anonymous counters at the head and the end of the refusal chains.
    private(set) var totals: [Refusal: Count] = [:]
    private(set) var unkept: [Refusal: Count] = [:]

    private struct Chain {
        let hook: UInt32?
        let priority: Int32
        let policy: UInt32?
        /// One of NAT, for instance, sees the first packet of a flow only.
        let type: String?
    }

    /// How many chains, sets and other objects the table has in all.
    private var uses: UInt32?

    /// Reads the table; each chain is asked for by its name, since a list of them would be one of all
    /// tables in the namespace, of which others may have made any number.
    init(of table: borrowing EndpointTable) throws(NftablesError) {
        let found = try table.commands.get(NFT_MSG_GETTABLE, build: Question.table)
        uses = found?.attributes.first(UInt16(NFTA_TABLE_USE.rawValue)).map {
            UInt32(truncatingIfNeeded: $0.number)
        }
        for message in try table.list(NFT_MSG_GETSET, build: Question.sets) {
            read(set: message.attributes)
        }
        for chain in Program.chains {
            let message = try table.commands.get(
                NFT_MSG_GETCHAIN, build: Question.chain(chain.name))
            if let message { read(chain: message.attributes) }
        }
        try readRules(table)
    }

    /// Only the counters of the refusal chains.
    init(countersOf table: borrowing EndpointTable) throws(NftablesError) {
        try readRules(table)
    }

    private mutating func readRules(_ table: borrowing EndpointTable) throws(NftablesError) {
        for message in try table.list(NFT_MSG_GETRULE, build: Question.rules) {
            read(rule: message.attributes)
        }
    }

    private mutating func read(set attributes: Attributes) {
        guard attributes.first(UInt16(NFTA_SET_TABLE.rawValue))?.text == Program.tableName,
            let name = attributes.first(UInt16(NFTA_SET_NAME.rawValue))?.text
        else { return }
        func number(_ type: nft_set_attributes) -> UInt32 {
            UInt32(
                truncatingIfNeeded: attributes.first(UInt16(type.rawValue))?.number ?? 0)
        }
        sets[name] = (
            number(NFTA_SET_FLAGS), number(NFTA_SET_KEY_LEN), number(NFTA_SET_DATA_LEN)
        )
    }

    private mutating func read(chain attributes: Attributes) {
        guard attributes.first(UInt16(NFTA_CHAIN_TABLE.rawValue))?.text == Program.tableName,
            let name = attributes.first(UInt16(NFTA_CHAIN_NAME.rawValue))?.text
        else { return }
        let hook = attributes.first(UInt16(NFTA_CHAIN_HOOK.rawValue))?.nested
        let policy = attributes.first(UInt16(NFTA_CHAIN_POLICY.rawValue))?.number
        let priority = hook?.first(UInt16(NFTA_HOOK_PRIORITY.rawValue))?.number ?? 0
        let number = hook?.first(UInt16(NFTA_HOOK_HOOKNUM.rawValue))?.number
        chains[name] = Chain(
            hook: number.map { UInt32(truncatingIfNeeded: $0) },
            priority: Int32(truncatingIfNeeded: priority),
            policy: policy.map { UInt32(truncatingIfNeeded: $0) },
            type: attributes.first(UInt16(NFTA_CHAIN_TYPE.rawValue))?.text)
    }

    private mutating func read(rule attributes: Attributes) {
        guard let chain = attributes.first(UInt16(NFTA_RULE_CHAIN.rawValue))?.text else { return }
        var expressions: [Expression?] = []
        let list = attributes.first(UInt16(NFTA_RULE_EXPRESSIONS.rawValue))?.nested
        for item in list ?? Attributes([]) {
            expressions.append(Expression(item.nested))
            if let count = ReadElement.counter(item.nested), let reason = Refusal(rawValue: chain) {
                if totals[reason] == nil { totals[reason] = count } else { unkept[reason] = count }
            }
        }
        rules[chain, default: []].append(
            (attributes.first(UInt16(NFTA_RULE_HANDLE.rawValue))?.number ?? 0, expressions))
    }

    /// The first difference from `Program`, in words; nil when there is none.
    var damage: String? {
        for set in Program.sets {
            guard let found = sets[set.name] else { return "set \(set.name) is missing" }
            let wanted = (set.flags, set.keyLength, set.value.data?.length ?? 0)
            let isVerdict = set.value == .verdict
            if found.flags != wanted.0 || found.keyLength != wanted.1
                || !isVerdict && found.dataLength != wanted.2
            {
                return "set \(set.name) has another form"
            }
        }
        if sets.count != Program.sets.count { return "there are sets that don't belong" }
        for chain in Program.chains {
            guard let found = chains[chain.name] else { return "chain \(chain.name) is missing" }
            if found.hook != chain.hook?.rawValue || found.priority != 0
                || chain.hook != nil && (found.policy != 0 || found.type != "filter")
            {
                return "chain \(chain.name) has another hook, type, priority or policy"
            }
            let wanted = chain.rules.map { $0.expressions.map(Optional.some) }
            if (rules[chain.name] ?? []).map(\.expressions) != wanted {
                return "chain \(chain.name) has other rules"
            }
        }
        let all = UInt32(Program.chains.count + Program.sets.count)
        return uses == all ? nil : "there are chains or objects that don't belong"
    }
}
