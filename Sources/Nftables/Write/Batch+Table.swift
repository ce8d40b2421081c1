internal import CNetfilter
internal import NetTypes
internal import Rules

extension Batch {
    /// Makes the table, or takes over one that nobody owns.
    ///
    /// While the socket that sends this is open nobody else can change the table, and it outlives
    /// the socket: NFT_TABLE_F_OWNER, and NFT_TABLE_F_PERSIST (0x4, from linux 6.9 on).
    mutating func addTable() {
        let table = nftnl_table_alloc()
        defer { nftnl_table_free(table) }
        nftnl_table_set_u32(table, UInt16(NFTNL_TABLE_FAMILY.rawValue), Self.inet)
        nftnl_table_set_str(table, UInt16(NFTNL_TABLE_NAME.rawValue), Program.tableName)
        nftnl_table_set_u32(table, UInt16(NFTNL_TABLE_FLAGS.rawValue), Self.ownerAndPersist)
        add(NFT_MSG_NEWTABLE, flags: NLM_F_CREATE, about: "table \(Program.tableName)") {
            nftnl_table_nlmsg_build_payload($0, table)
        }
    }

    mutating func deleteTable() {
        let table = nftnl_table_alloc()
        defer { nftnl_table_free(table) }
        nftnl_table_set_u32(table, UInt16(NFTNL_TABLE_FAMILY.rawValue), Self.inet)
        nftnl_table_set_str(table, UInt16(NFTNL_TABLE_NAME.rawValue), Program.tableName)
        add(NFT_MSG_DELTABLE, about: "table \(Program.tableName)") {
            nftnl_table_nlmsg_build_payload($0, table)
        }
    }

    /// The sets of the table, empty.
    mutating func addSets() { add(Self.sets) }

    /// The chains of the table with their rules; base chains get the policy.
    mutating func addChains(policy: Expression.Verdict) {
        for chain in Program.chains { add(chain, policy: policy) }
        add(Self.rules)
    }

    private static let sets = Constant { batch in
        for (index, set) in Program.sets.enumerated() { batch.add(set, id: UInt32(index + 1)) }
    }

    private static let rules = Constant { batch in
        for chain in Program.chains {
            for rule in chain.rules { batch.add(rule, to: chain.name) }
        }
    }

    private mutating func add(_ definition: SetDefinition, id: UInt32) {
        let set = nftnl_set_alloc()
        defer { nftnl_set_free(set) }
        func put(_ attribute: nftnl_set_attr, _ value: UInt32) {
            nftnl_set_set_u32(set, UInt16(attribute.rawValue), value)
        }
        nftnl_set_set_str(set, UInt16(NFTNL_SET_TABLE.rawValue), Program.tableName)
        nftnl_set_set_str(set, UInt16(NFTNL_SET_NAME.rawValue), definition.name)
        put(NFTNL_SET_FAMILY, Self.inet)
        put(NFTNL_SET_ID, id)
        put(NFTNL_SET_FLAGS, definition.flags)
        put(NFTNL_SET_KEY_TYPE, definition.keyType)
        put(NFTNL_SET_KEY_LEN, definition.keyLength)
        if let data = definition.value.data {
            put(NFTNL_SET_DATA_TYPE, data.type)
            put(NFTNL_SET_DATA_LEN, data.length)
        }
        if let capacity = definition.capacity { put(NFTNL_SET_DESC_SIZE, capacity) }
        if definition.isConcatenation, definition.isInterval {
            let lengths = definition.key.map { UInt8($0.length) }
            nftnl_set_set_data(
                set, UInt16(NFTNL_SET_DESC_CONCAT.rawValue), lengths, UInt32(lengths.count))
        }
        let byteOrder = UserData.byteOrder(of: definition)
        nftnl_set_set_data(
            set, UInt16(NFTNL_SET_USERDATA.rawValue), byteOrder, UInt32(byteOrder.count))
        if definition.countsElements {
            nftnl_set_add_expr(set, Expression.counter.encoded().release())
        }
        add(NFT_MSG_NEWSET, flags: NLM_F_CREATE | NLM_F_EXCL, about: "set \(definition.name)") {
            nftnl_set_nlmsg_build_payload($0, set)
        }
    }

    /// Sets the policy of the base chains.
    mutating func setPolicies(_ policy: Expression.Verdict) {
        for definition in Program.chains where definition.hook != nil {
            let chain = nftnl_chain_alloc()
            defer { nftnl_chain_free(chain) }
            nftnl_chain_set_str(chain, UInt16(NFTNL_CHAIN_TABLE.rawValue), Program.tableName)
            nftnl_chain_set_str(chain, UInt16(NFTNL_CHAIN_NAME.rawValue), definition.name)
            nftnl_chain_set_u32(
                chain, UInt16(NFTNL_CHAIN_POLICY.rawValue), UInt32(bitPattern: policy.code))
            add(NFT_MSG_NEWCHAIN, flags: 0, about: "policy of chain \(definition.name)") {
                nftnl_chain_nlmsg_build_payload($0, chain)
            }
        }
    }

    private mutating func add(_ definition: Program.Chain, policy: Expression.Verdict) {
        let chain = nftnl_chain_alloc()
        defer { nftnl_chain_free(chain) }
        nftnl_chain_set_str(chain, UInt16(NFTNL_CHAIN_TABLE.rawValue), Program.tableName)
        nftnl_chain_set_str(chain, UInt16(NFTNL_CHAIN_NAME.rawValue), definition.name)
        if let hook = definition.hook {
            nftnl_chain_set_str(chain, UInt16(NFTNL_CHAIN_TYPE.rawValue), "filter")
            nftnl_chain_set_u32(chain, UInt16(NFTNL_CHAIN_HOOKNUM.rawValue), hook.rawValue)
            nftnl_chain_set_s32(chain, UInt16(NFTNL_CHAIN_PRIO.rawValue), 0)
            nftnl_chain_set_u32(
                chain, UInt16(NFTNL_CHAIN_POLICY.rawValue),
                UInt32(bitPattern: policy.code))
        }
        add(
            NFT_MSG_NEWCHAIN, flags: NLM_F_CREATE | NLM_F_EXCL, about: "chain \(definition.name)"
        ) {
            nftnl_chain_nlmsg_build_payload($0, chain)
        }
    }

    private mutating func add(_ definition: Program.ConstantRule, to chain: String) {
        let rule = nftnl_rule_alloc()
        defer { nftnl_rule_free(rule) }
        nftnl_rule_set_u32(rule, UInt16(NFTNL_RULE_FAMILY.rawValue), Self.inet)
        nftnl_rule_set_str(rule, UInt16(NFTNL_RULE_TABLE.rawValue), Program.tableName)
        nftnl_rule_set_str(rule, UInt16(NFTNL_RULE_CHAIN.rawValue), chain)
        let comment = UserData.comment(definition.comment)
        nftnl_rule_set_data(
            rule, UInt16(NFTNL_RULE_USERDATA.rawValue), comment, UInt32(comment.count))
        for expression in definition.expressions {
            nftnl_rule_add_expr(rule, expression.encoded().release())
        }
        add(
            NFT_MSG_NEWRULE, flags: NLM_F_CREATE | NLM_F_APPEND,
            about: "rule '\(definition.comment)' of chain \(chain)"
        ) {
            nftnl_rule_nlmsg_build_payload($0, rule)
        }
    }

    /// NFT_TABLE_F_PERSIST of linux/netfilter/nf_tables.h, from linux 6.9 on.
    static let persist: UInt32 = 0x4
    private static let ownerAndPersist = 0x2 | persist
}

/// The user data in which nft keeps comments: a type, a length, and text that ends with a NUL.
enum UserData {
    /// NFTNL_UDATA_RULE_COMMENT and NFTNL_UDATA_SET_ELEM_COMMENT are both 0.
    static func comment(_ text: String) -> [UInt8] {
        let bytes = Array(text.utf8.prefix(253))
        return [0, UInt8(bytes.count + 1)] + bytes + [0]
    }

    /// Tells nft that marks stand in host byte order, so that it lists them as they are.
    ///
    /// NFTNL_UDATA_SET_KEYBYTEORDER is 0, NFTNL_UDATA_SET_DATABYTEORDER 1, and
    /// BYTEORDER_HOST_ENDIAN of nftables' include/datatype.h 1.
    static func byteOrder(of set: SetDefinition) -> [UInt8] {
        let host = [UInt8](UInt32(1).networkBytes.reversed())
        let key: [UInt8] = set.key == [.mark] ? [0, 4] + host : []
        return key + (set.value == .mark ? [1, 4] + host : [])
    }

    static func comment(in data: ArraySlice<UInt8>) -> String? {
        let start = data.startIndex
        guard data.count >= 2, data[start] == 0, data.count >= 2 + Int(data[start + 1]) else {
            return nil
        }
        let text = data[(start + 2)..<(start + 2 + Int(data[start + 1]))].prefix { $0 != 0 }
        return String(decoding: text, as: UTF8.self)
    }
}

extension SetDefinition {
    /// enum nft_set_flags.
    var flags: UInt32 {
        var flags: UInt32 = 0
        if isInterval { flags |= NFT_SET_INTERVAL.rawValue }
        if isInterval, isConcatenation { flags |= NFT_SET_CONCAT.rawValue }
        if value != .none { flags |= NFT_SET_MAP.rawValue }
        if capacity != nil { flags |= NFT_SET_EVAL.rawValue }
        return flags
    }
}

extension SetDefinition.Value {
    /// The type as nft knows it and the length in bytes.
    ///
    /// 16 is the size of a verdict's register; the type is NFT_DATA_VERDICT.
    var data: (type: UInt32, length: UInt32)? {
        switch self {
        case .none: nil
        case .mark: (SetDefinition.Field.mark.rawValue, 4)
        case .verdict: (0xffff_ff00, 16)
        }
    }
}
