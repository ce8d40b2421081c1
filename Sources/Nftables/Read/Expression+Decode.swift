internal import CNetfilter
internal import NetTypes
internal import Rules

extension Expression {
    /// Reads an expression of a rule; nil for one that `Program` never uses.
    init?(_ attributes: Attributes) {
        guard let name = attributes.first(UInt16(NFTA_EXPR_NAME.rawValue))?.text else { return nil }
        let data = Fields(attributes.first(UInt16(NFTA_EXPR_DATA.rawValue))?.nested)
        let read: Expression? =
            switch name {
            case "meta": Self.meta(data)
            case "ct": Self.ct(data)
            case "payload": Self.payload(data)
            case "cmp": Self.compare(data)
            case "bitwise": Self.mask(data)
            case "byteorder": Self.order(data)
            case "lookup": Self.lookup(data)
            case "immediate": Self.immediate(data)
            case "counter": .counter
            case "log": Self.log(data)
            case "dynset": Self.dynset(data)
            default: nil
            }
        guard let read else { return nil }
        self = read
    }

    /// The attributes of one expression, by number.
    private struct Fields {
        private let attributes: Attributes?

        init(_ attributes: Attributes?) { self.attributes = attributes }

        subscript(_ type: some RawRepresentable<UInt32>) -> Attribute? {
            attributes?.first(UInt16(type.rawValue))
        }

        func number(_ type: some RawRepresentable<UInt32>) -> UInt32? {
            self[type].map { UInt32(truncatingIfNeeded: $0.number) }
        }

        func register(_ type: some RawRepresentable<UInt32>) -> Register? {
            number(type).flatMap { Register(number: $0) }
        }

        /// The bytes of a nested `nft_data`.
        func bytes(_ type: some RawRepresentable<UInt32>) -> [UInt8]? {
            self[type]?.nested.first(UInt16(NFTA_DATA_VALUE.rawValue)).map { Array($0.payload) }
        }
    }

    private static func meta(_ data: Fields) -> Expression? {
        guard let key = data.number(NFTA_META_KEY).flatMap(MetaKey.init),
            let register = data.register(NFTA_META_DREG)
        else { return nil }
        return .meta(key, into: register)
    }

    private static func ct(_ data: Fields) -> Expression? {
        guard let key = data.number(NFTA_CT_KEY).flatMap(CtKey.init) else { return nil }
        if let source = data.register(NFTA_CT_SREG) {
            return key == .mark ? .setCtMark(from: source) : nil
        }
        guard let register = data.register(NFTA_CT_DREG) else { return nil }
        let side = data.number(NFTA_CT_DIRECTION).map {
            CtDirection(rawValue: UInt8(truncatingIfNeeded: $0))
        }
        return .ct(key, side ?? nil, into: register)
    }

    private static func payload(_ data: Fields) -> Expression? {
        guard let base = data.number(NFTA_PAYLOAD_BASE).flatMap(PayloadBase.init),
            let offset = data.number(NFTA_PAYLOAD_OFFSET),
            let length = data.number(NFTA_PAYLOAD_LEN),
            let register = data.register(NFTA_PAYLOAD_DREG)
        else { return nil }
        return .payload(base, offset: offset, length: length, into: register)
    }

    private static func compare(_ data: Fields) -> Expression? {
        guard let comparison = data.number(NFTA_CMP_OP).flatMap(Comparison.init),
            let register = data.register(NFTA_CMP_SREG), let bytes = data.bytes(NFTA_CMP_DATA)
        else { return nil }
        return .compare(comparison, register, bytes)
    }

    private static func mask(_ data: Fields) -> Expression? {
        guard let register = data.register(NFTA_BITWISE_SREG),
            data.register(NFTA_BITWISE_DREG) == register,
            let mask = data.bytes(NFTA_BITWISE_MASK),
            let change = data.bytes(NFTA_BITWISE_XOR), change.allSatisfy({ $0 == 0 })
        else { return nil }
        return .mask(register, with: mask)
    }

    private static func order(_ data: Fields) -> Expression? {
        guard let register = data.register(NFTA_BYTEORDER_SREG),
            data.register(NFTA_BYTEORDER_DREG) == register,
            data.number(NFTA_BYTEORDER_OP) == NFT_BYTEORDER_HTON.rawValue,
            data.number(NFTA_BYTEORDER_LEN) == 4, data.number(NFTA_BYTEORDER_SIZE) == 4
        else { return nil }
        return .toNetworkOrder(register)
    }

    private static func lookup(_ data: Fields) -> Expression? {
        guard let set = data[NFTA_LOOKUP_SET]?.text, let key = data.register(NFTA_LOOKUP_SREG)
        else { return nil }
        let inverted = (data.number(NFTA_LOOKUP_FLAGS) ?? 0) & NFT_LOOKUP_F_INV.rawValue != 0
        guard let destination = data.number(NFTA_LOOKUP_DREG) else {
            return .member(of: set, key: key, inverted: inverted)
        }
        if destination == verdictRegister { return .map(set, key: key, into: nil) }
        return Register(number: destination).map { .map(set, key: key, into: $0) }
    }

    private static func immediate(_ data: Fields) -> Expression? {
        guard let value = data[NFTA_IMMEDIATE_DATA]?.nested else { return nil }
        if let bytes = value.first(UInt16(NFTA_DATA_VALUE.rawValue)) {
            return data.register(NFTA_IMMEDIATE_DREG).map { .load(Array(bytes.payload), into: $0) }
        }
        guard let verdict = value.first(UInt16(NFTA_DATA_VERDICT.rawValue))?.nested,
            let code = verdict.first(UInt16(NFTA_VERDICT_CODE.rawValue))?.number
        else { return nil }
        let chain = verdict.first(UInt16(NFTA_VERDICT_CHAIN.rawValue))?.text
        switch (Int32(truncatingIfNeeded: code), chain) {
        case (0, nil): return .verdict(.drop)
        case (1, nil): return .verdict(.accept)
        case (NFT_GOTO.rawValue, .some(let chain)): return .verdict(.goTo(chain))
        default: return nil
        }
    }

    private static func log(_ data: Fields) -> Expression? {
        guard let prefix = data[NFTA_LOG_PREFIX]?.text, let group = data.number(NFTA_LOG_GROUP)
        else { return nil }
        return .log(
            prefix: prefix, group: UInt16(truncatingIfNeeded: group),
            snapLength: data.number(NFTA_LOG_SNAPLEN) ?? 0,
            queueThreshold: UInt16(truncatingIfNeeded: data.number(NFTA_LOG_QTHRESHOLD) ?? 0))
    }

    private static func dynset(_ data: Fields) -> Expression? {
        guard let set = data[NFTA_DYNSET_SET_NAME]?.text,
            let key = data.register(NFTA_DYNSET_SREG_KEY),
            data.number(NFTA_DYNSET_OP) == NFT_DYNSET_OP_ADD.rawValue
        else { return nil }
        return .add(to: set, key: key)
    }
}
