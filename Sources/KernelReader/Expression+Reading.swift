internal import NetTypes
internal import Nftables
internal import Verifier

/// The attributes of one expression, by number.
struct ExpressionFields {
    private let attributes: Attributes?

    init(_ attributes: Attributes?) { self.attributes = attributes }

    func number(_ type: UInt16) -> UInt32? {
        attributes?.first(type).map { UInt32(truncatingIfNeeded: $0.number) }
    }

    func text(_ type: UInt16) -> String? { attributes?.first(type)?.text }

    /// The bytes of a nested `nft_data`.
    func bytes(_ type: UInt16) -> [UInt8]? {
        attributes?.first(type)?.nested.first(1).map { Array($0.payload) }
    }

    func nested(_ type: UInt16) -> Attributes? { attributes?.first(type)?.nested }

    /// Where a register starts, in bytes: NFT_REG_1 to 4 of 16 bytes, NFT_REG32_00 to 15 of 4.
    ///
    /// -1 is the verdict's.
    func register(_ type: UInt16) -> Int? {
        switch number(type) {
        case .some(0): -1
        case .some(let number) where (1...4).contains(number): Int(number - 1) * 16
        case .some(let number) where (8...23).contains(number): Int(number - 8) * 4
        default: nil
        }
    }
}

extension Expression {
    /// Reads an expression of a rule; what is not understood is `unknown`, with its name.
    init(reading attributes: Attributes) {
        let name = attributes.first(1)?.text ?? "?"
        let data = ExpressionFields(attributes.first(2)?.nested)
        self = Self.read(name, data) ?? .unknown(Self.title(name, data))
    }

    /// For extensions of iptables the name alone says little.
    private static func title(_ name: String, _ data: ExpressionFields) -> String {
        guard name == "match" || name == "target", let extension_ = data.text(1) else {
            return name
        }
        return "xt \(name) \(extension_)"
    }

    private static func read(_ name: String, _ data: ExpressionFields) -> Expression? {
        switch name {
        case "payload": payload(data)
        case "meta": meta(data)
        case "ct": ct(data)
        case "cmp": compare(data)
        case "range": range(data)
        case "bitwise": bitwise(data)
        case "byteorder": byteorder(data)
        case "lookup": lookup(data)
        case "immediate": immediate(data)
        case "dynset": dynset(data)
        case "objref": objref(data)
        case "reject": .reject
        case "counter", "log", "last": .harmless(name)
        case "limit", "quota", "connlimit": .sometimes(name)
        case "notrack": .notrack
        case "nat": nat(data)
        case "masq": translation(.masquerade, data, address: nil, port: (2, 3))
        case "redir": translation(.redirect, data, address: nil, port: (1, 2))
        case "exthdr": header(data)
        case "numgen": unknowable(name, data, 1, 4)
        case "hash": unknowable(name, data, 2, 4)
        case "rt": unknowable(name, data, 1, data.number(2) == 2 ? 16 : 4)
        case "socket": unknowable(name, data, 2, data.number(1) == 2 ? 8 : 4)
        case "fib": unknowable(name, data, 1, data.number(2) == 2 ? 16 : 4)
        case "osf": unknowable(name, data, 1, 16)
        default: nil
        }
    }

    private static func unknowable(
        _ name: String, _ data: ExpressionFields, _ register: UInt16, _ length: Int
    ) -> Expression? {
        data.register(register).map { .unknowable(name, length: length, into: $0) }
    }

    private static func payload(_ data: ExpressionFields) -> Expression? {
        guard let base = data.number(2).flatMap(PayloadBase.init), let offset = data.number(3),
            let length = data.number(4)
        else { return nil }
        if let from = data.register(5) {
            return .setPayload(base, offset: Int(offset), length: Int(length), from: from)
        }
        return data.register(1).map {
            .payload(base, offset: Int(offset), length: Int(length), into: $0)
        }
    }

    private static func meta(_ data: ExpressionFields) -> Expression? {
        guard let key = data.number(2) else { return nil }
        if let from = data.register(3) { return .setMeta(key, from: from) }
        return data.register(1).map { .meta(key, into: $0) }
    }

    private static func ct(_ data: ExpressionFields) -> Expression? {
        guard let key = data.number(2) else { return nil }
        if let from = data.register(4) { return .setCt(key, from: from) }
        let direction = data.number(3).flatMap {
            CtDirection(rawValue: UInt8(truncatingIfNeeded: $0))
        }
        return data.register(1).map { .ct(key, direction, into: $0) }
    }

    private static func compare(_ data: ExpressionFields) -> Expression? {
        guard let from = data.register(1), let comparison = data.number(2).flatMap(Comparison.init),
            let bytes = data.bytes(3)
        else { return nil }
        return .compare(comparison, from, bytes)
    }

    private static func range(_ data: ExpressionFields) -> Expression? {
        guard let from = data.register(1), let operation = data.number(2), operation < 2,
            let low = data.bytes(3), let high = data.bytes(4)
        else { return nil }
        return .range(from, from: low, to: high, inverted: operation == 1)
    }

    private static func bitwise(_ data: ExpressionFields) -> Expression? {
        guard let from = data.register(1), let into = data.register(2), let length = data.number(3)
        else { return nil }
        switch data.number(6) ?? 0 {
        case 0:
            guard let mask = data.bytes(4), let flip = data.bytes(5) else { return nil }
            return .mask(from: from, into: into, mask: mask, flip: flip)
        case 1, 2:
            guard let bits = data.bytes(7), bits.count == 4 else { return nil }
            return .shift(
                left: data.number(6) == 1, from: from, into: into, length: Int(length),
                bits: Int(UInt32(networkBytes: bits.reversed())))
        default: return nil
        }
    }

    private static func byteorder(_ data: ExpressionFields) -> Expression? {
        guard let from = data.register(1), let into = data.register(2),
            let length = data.number(4), let size = data.number(5)
        else { return nil }
        return .byteorder(from: from, into: into, length: Int(length), part: Int(size))
    }

    private static func lookup(_ data: ExpressionFields) -> Expression? {
        guard let set = data.text(1), let key = data.register(2) else { return nil }
        return .lookup(
            set, key: key, into: data.register(3), inverted: (data.number(5) ?? 0) & 1 != 0)
    }

    private static func immediate(_ data: ExpressionFields) -> Expression? {
        if let verdict = data.nested(2)?.first(2) {
            return .verdict(RuleVerdict(reading: verdict.nested))
        }
        guard let into = data.register(1), let bytes = data.bytes(2) else { return nil }
        return .load(bytes, into: into)
    }

    private static func dynset(_ data: ExpressionFields) -> Expression? {
        guard let set = data.text(1), let operation = data.number(3), let key = data.register(4)
        else { return nil }
        // NFT_DYNSET_OP_DELETE
        return .dynset(
            set, key: key, deletes: operation == 2, inverted: (data.number(9) ?? 0) & 1 != 0)
    }
}
