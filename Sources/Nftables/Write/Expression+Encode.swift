internal import CNetfilter
internal import Rules

/// A libnftnl expression that is freed unless it is given to a rule.
struct ExpressionHandle: ~Copyable {
    private let handle: OpaquePointer

    init(_ name: String) {
        guard let handle = nftnl_expr_alloc(name) else {
            preconditionFailure("libnftnl knows every expression that Program uses")
        }
        self.handle = handle
    }

    deinit { nftnl_expr_free(handle) }

    func set(_ attribute: some BinaryInteger, _ value: UInt32) {
        nftnl_expr_set_u32(handle, UInt16(attribute), value)
    }

    func set(_ attribute: some BinaryInteger, byte value: UInt8) {
        nftnl_expr_set_u8(handle, UInt16(attribute), value)
    }

    func set(_ attribute: some BinaryInteger, short value: UInt16) {
        nftnl_expr_set_u16(handle, UInt16(attribute), value)
    }

    func set(_ attribute: some BinaryInteger, _ bytes: [UInt8]) {
        nftnl_expr_set(handle, UInt16(attribute), bytes, UInt32(bytes.count))
    }

    func set(_ attribute: some BinaryInteger, _ text: String) {
        nftnl_expr_set_str(handle, UInt16(attribute), text)
    }

    consuming func release() -> OpaquePointer {
        let handle = handle
        discard self
        return handle
    }
}

extension Expression {
    /// The expression as libnftnl wants it.
    func encoded() -> ExpressionHandle {
        switch self {
        case .meta, .ct, .setCtMark, .payload, .load: loading()
        case .compare, .mask, .toNetworkOrder: computing()
        case .member, .map, .add: searching()
        case .verdict, .counter, .log: ending()
        }
    }

    private func loading() -> ExpressionHandle {
        switch self {
        case .meta(let key, let register):
            let handle = ExpressionHandle("meta")
            handle.set(NFTNL_EXPR_META_KEY, key.rawValue)
            handle.set(NFTNL_EXPR_META_DREG, register.number)
            return handle
        case .ct(let key, let direction, let register):
            let handle = ExpressionHandle("ct")
            handle.set(NFTNL_EXPR_CT_KEY, key.rawValue)
            handle.set(NFTNL_EXPR_CT_DREG, register.number)
            if let direction { handle.set(NFTNL_EXPR_CT_DIR, byte: direction.rawValue) }
            return handle
        case .setCtMark(let register):
            let handle = ExpressionHandle("ct")
            handle.set(NFTNL_EXPR_CT_KEY, CtKey.mark.rawValue)
            handle.set(NFTNL_EXPR_CT_SREG, register.number)
            return handle
        case .payload(let base, let offset, let length, let register):
            let handle = ExpressionHandle("payload")
            handle.set(NFTNL_EXPR_PAYLOAD_BASE, base.rawValue)
            handle.set(NFTNL_EXPR_PAYLOAD_OFFSET, offset)
            handle.set(NFTNL_EXPR_PAYLOAD_LEN, length)
            handle.set(NFTNL_EXPR_PAYLOAD_DREG, register.number)
            return handle
        case .load(let bytes, let register):
            let handle = ExpressionHandle("immediate")
            handle.set(NFTNL_EXPR_IMM_DREG, register.number)
            handle.set(NFTNL_EXPR_IMM_DATA, bytes)
            return handle
        default:
            preconditionFailure("encoded() sends only what loads here")
        }
    }

    private func computing() -> ExpressionHandle {
        switch self {
        case .compare(let comparison, let register, let bytes):
            let handle = ExpressionHandle("cmp")
            handle.set(NFTNL_EXPR_CMP_SREG, register.number)
            handle.set(NFTNL_EXPR_CMP_OP, comparison.rawValue)
            handle.set(NFTNL_EXPR_CMP_DATA, bytes)
            return handle
        case .mask(let register, let bytes):
            let handle = ExpressionHandle("bitwise")
            handle.set(NFTNL_EXPR_BITWISE_SREG, register.number)
            handle.set(NFTNL_EXPR_BITWISE_DREG, register.number)
            handle.set(NFTNL_EXPR_BITWISE_LEN, UInt32(bytes.count))
            handle.set(NFTNL_EXPR_BITWISE_MASK, bytes)
            handle.set(NFTNL_EXPR_BITWISE_XOR, [UInt8](repeating: 0, count: bytes.count))
            return handle
        case .toNetworkOrder(let register):
            let handle = ExpressionHandle("byteorder")
            handle.set(NFTNL_EXPR_BYTEORDER_SREG, register.number)
            handle.set(NFTNL_EXPR_BYTEORDER_DREG, register.number)
            handle.set(NFTNL_EXPR_BYTEORDER_OP, NFT_BYTEORDER_HTON.rawValue)
            handle.set(NFTNL_EXPR_BYTEORDER_LEN, UInt32(4))
            handle.set(NFTNL_EXPR_BYTEORDER_SIZE, UInt32(4))
            return handle
        default:
            preconditionFailure("encoded() sends only what computes here")
        }
    }

    private func searching() -> ExpressionHandle {
        switch self {
        case .member(let set, let register, let inverted):
            let handle = ExpressionHandle("lookup")
            handle.set(NFTNL_EXPR_LOOKUP_SET, set)
            handle.set(NFTNL_EXPR_LOOKUP_SREG, register.number)
            if inverted { handle.set(NFTNL_EXPR_LOOKUP_FLAGS, NFT_LOOKUP_F_INV.rawValue) }
            return handle
        case .map(let map, let register, let destination):
            let handle = ExpressionHandle("lookup")
            handle.set(NFTNL_EXPR_LOOKUP_SET, map)
            handle.set(NFTNL_EXPR_LOOKUP_SREG, register.number)
            handle.set(NFTNL_EXPR_LOOKUP_DREG, destination?.number ?? Self.verdictRegister)
            return handle
        case .add(let set, let register):
            let handle = ExpressionHandle("dynset")
            handle.set(NFTNL_EXPR_DYNSET_SET_NAME, set)
            handle.set(NFTNL_EXPR_DYNSET_SREG_KEY, register.number)
            handle.set(NFTNL_EXPR_DYNSET_OP, NFT_DYNSET_OP_ADD.rawValue)
            return handle
        default:
            preconditionFailure("encoded() sends only what searches here")
        }
    }

    private func ending() -> ExpressionHandle {
        switch self {
        case .verdict(let verdict):
            let handle = ExpressionHandle("immediate")
            handle.set(NFTNL_EXPR_IMM_DREG, Self.verdictRegister)
            handle.set(NFTNL_EXPR_IMM_VERDICT, UInt32(bitPattern: verdict.code))
            if case .goTo(let chain) = verdict { handle.set(NFTNL_EXPR_IMM_CHAIN, chain) }
            return handle
        case .counter:
            return ExpressionHandle("counter")
        case .log(let prefix, let group, let length, let threshold):
            let handle = ExpressionHandle("log")
            handle.set(NFTNL_EXPR_LOG_PREFIX, prefix)
            handle.set(NFTNL_EXPR_LOG_GROUP, short: group)
            handle.set(NFTNL_EXPR_LOG_SNAPLEN, length)
            handle.set(NFTNL_EXPR_LOG_QTHRESHOLD, short: threshold)
            return handle
        default:
            preconditionFailure("encoded() sends only what ends a rule here")
        }
    }

    /// NFT_REG_VERDICT.
    static let verdictRegister: UInt32 = 0
}

extension Expression.Verdict {
    /// NF_DROP and NF_ACCEPT of linux/netfilter.h, NFT_GOTO of linux/netfilter/nf_tables.h.
    var code: Int32 {
        switch self {
        case .drop: 0
        case .accept: 1
        case .goTo: NFT_GOTO.rawValue
        }
    }
}
