internal import NetTypes
internal import Nftables
internal import Verifier

/// An element of a set as the kernel lists it.
struct FoundElement {
    private var key: [UInt8] = []
    private var keyEnd: [UInt8]?
    private var value = NamedSet.Value.none
    private var comment: String?
    private var flags: UInt64 = 0
    private var expires = false
    private var matchesSometimes = false

    init(_ attributes: Attributes) {
        for attribute in attributes {
            switch attribute.type {
            case 1: key = Self.bytes(attribute)
            case 2: value = Self.value(attribute)
            case 3: flags = attribute.number
            case 4, 5: expires = expires || attribute.number != 0
            case 6: comment = Comment.text(in: attribute.payload)
            case 7: note(attribute.nested)
            case 9: value = .object(attribute.text)
            case 10: keyEnd = Self.bytes(attribute)
            case 11: for item in attribute.nested { note(item.nested) }
            default: continue
            }
        }
    }

    private mutating func note(_ expression: Attributes) {
        // What only counts is not asked whether it matches.
        if let name = expression.first(1)?.text, !["counter", "last"].contains(name) {
            matchesSometimes = true
        }
    }

    private static func bytes(_ attribute: Attribute) -> [UInt8] {
        attribute.nested.first(1).map { Array($0.payload) } ?? []
    }

    private static func value(_ attribute: Attribute) -> NamedSet.Value {
        if let verdict = attribute.nested.first(2) {
            return .verdict(RuleVerdict(reading: verdict.nested))
        }
        return .data(bytes(attribute))
    }

    /// NFT_SET_ELEM_INTERVAL_END and NFT_SET_ELEM_CATCHALL.
    private var endsInterval: Bool { flags & 1 != 0 }
    private var isCatchAll: Bool { flags & 2 != 0 }

    private func element(low: [UInt8], high: [UInt8]) -> NamedSet.Element {
        NamedSet.Element(
            low: low, high: high, value: value, comment: comment, expires: expires,
            matchesSometimes: matchesSometimes, isCatchAll: isCatchAll)
    }

    /// Elements as intervals: of single keys the kernel lists where one begins and, marked, the
    /// first key behind it.
    static func joined(_ found: [FoundElement], in set: NamedSet) -> [NamedSet.Element] {
        guard set.isInterval, set.fields.count < 2 else {
            return found.map { $0.element(low: $0.key, high: $0.keyEnd ?? $0.key) }
        }
        let catchAll = found.filter(\.isCatchAll)
            .map { $0.element(low: $0.key, high: $0.key) }
        let greatest = [UInt8](repeating: 0xff, count: set.keyLength)
        let sorted = found.filter { !$0.isCatchAll }
            .sorted {
                $0.key == $1.key
                    ? $0.endsInterval && !$1.endsInterval
                    : $0.key.lexicographicallyPrecedes($1.key)
            }
        var elements: [NamedSet.Element] = []
        for (index, item) in sorted.enumerated() where !item.endsInterval {
            let next = index + 1 < sorted.count ? sorted[index + 1].key : nil
            elements.append(item.element(low: item.key, high: next?.predecessor ?? greatest))
        }
        return elements + catchAll
    }
}

extension [UInt8] {
    /// The bytes as a number, less one.
    fileprivate var predecessor: [UInt8] {
        var bytes = self
        for index in bytes.indices.reversed() {
            bytes[index] &-= 1
            if bytes[index] != 0xff { break }
        }
        return bytes
    }
}

extension RuleVerdict {
    /// Reads NFTA_VERDICT_CODE and NFTA_VERDICT_CHAIN.
    init(reading attributes: Attributes) {
        let code = Int32(truncatingIfNeeded: attributes.first(1)?.number ?? 0)
        let chain = attributes.first(2)?.text ?? ""
        switch code {
        case 0: self = .drop
        case 1: self = .accept
        case -1: self = .goOn
        case -3: self = .jump(chain)
        case -4: self = .goTo(chain)
        case -5: self = .back
        default: self = .queue
        }
    }
}
