internal import Nftables
internal import Verifier

/// Expressions that translate, and those that stand for objects.
extension Expression {
    /// Counters and helpers decide nothing; limits and quotas do.
    static func objref(_ data: ExpressionFields) -> Expression? {
        // NFT_OBJECT_*
        switch data.number(1) {
        case .some(1), .some(3), .some(7), .some(8), .some(9): .harmless("objref")
        case .some(2), .some(4), .some(5): .sometimes("objref")
        case .none: data.text(4) == nil ? nil : .sometimes("objref map")
        default: nil
        }
    }

    static func nat(_ data: ExpressionFields) -> Expression? {
        guard let type = data.number(1), type < 2 else { return nil }
        return translation(
            type == 0 ? .source : .destination, data, address: (3, 4), port: (5, 6),
            family: data.number(2))
    }

    static func translation(
        _ kind: Translation.Kind, _ data: ExpressionFields, address: (UInt16, UInt16)?,
        port: (UInt16, UInt16), family: UInt32? = nil
    ) -> Expression? {
        .translate(
            Translation(
                kind: kind, family: family.map { UInt8(truncatingIfNeeded: $0) },
                address: address.flatMap { pair($0, data) }, port: pair(port, data)))
    }

    private static func pair(
        _ numbers: (UInt16, UInt16), _ data: ExpressionFields
    ) -> (low: Int, high: Int)? {
        data.register(numbers.0).map { ($0, data.register(numbers.1) ?? $0) }
    }

    static func header(_ data: ExpressionFields) -> Expression? {
        let kind = data.number(6) ?? 0
        // An option that is written changes what is inside, not where it goes.
        if data.register(7) != nil { return .sometimes("exthdr") }
        guard let into = data.register(1), let type = data.number(2) else {
            return .sometimes("exthdr")
        }
        return .header(
            kind: kind, type: UInt8(truncatingIfNeeded: type), offset: Int(data.number(3) ?? 0),
            length: Int(data.number(4) ?? 0), isPresence: (data.number(5) ?? 0) & 1 != 0,
            into: into)
    }
}
