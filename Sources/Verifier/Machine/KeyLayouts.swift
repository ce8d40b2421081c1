/// How the keys of a table's sets are put together, read off the rules that look into them.
///
/// Of a concatenation without ranges the kernel keeps no parts: its keys are compared as one. A key
/// that a rule loads piece by piece can be followed piece by piece as well.
struct KeyLayouts {
    typealias Part = (offset: Int, length: Int)

    /// By the set's name; nil where rules don't agree.
    private var layouts: [String: [Part]?] = [:]

    init(_ table: Table) {
        let lengths = Dictionary(
            table.sets.filter { !$0.isInterval && $0.fields.isEmpty }
                .map { ($0.name, $0.keyLength) },
            uniquingKeysWith: { first, _ in first })
        for rule in table.chains.flatMap(\.rules) { read(rule.expressions, lengths) }
    }

    /// Where the parts of a set's keys stand, one behind the other; nil where that isn't known.
    func parts(of set: NamedSet) -> [Part]? {
        guard let parts = layouts[set.name] ?? nil else { return nil }
        // What stands between the parts is 0 in every key that a packet has.
        let isTight = set.elements.allSatisfy { element in
            element.low == element.high
                && element.low.indices.allSatisfy { index in
                    element.low[index] == 0
                        || parts.contains { ($0.offset..<($0.offset + $0.length)).contains(index) }
                }
        }
        return isTight ? parts : nil
    }

    private mutating func read(_ expressions: [Expression], _ lengths: [String: Int]) {
        var loads: [Int: Int] = [:]
        for expression in expressions {
            if case .lookup(let name, let key, _, _) = expression, let length = lengths[name] {
                note(name, Self.parts(loads, key, length))
            }
            if let (into, length) = expression.loads { loads[into] = length }
        }
    }

    private mutating func note(_ name: String, _ parts: [Part]?) {
        guard let known = layouts[name] else {
            layouts[name] = .some(parts)
            return
        }
        let isSame = known?.elementsEqual(parts ?? [], by: ==) ?? false
        if !isSame { layouts[name] = .some(nil) }
    }

    /// The loads that fill a key, if they do so without a gap; more than one.
    private static func parts(_ loads: [Int: Int], _ key: Int, _ length: Int) -> [Part]? {
        var parts: [Part] = []
        var offset = 0
        while offset < length {
            guard let part = loads[key + offset] else { return nil }
            parts.append((offset, part))
            offset += (part + 3) & ~3
        }
        return offset == (length + 3) & ~3 && parts.count > 1 ? parts : nil
    }
}

extension Expression {
    /// Where a value is put, and how many bytes of it there are before the padding: the `len` that
    /// the kernel gives each key in `nft_ct_get_init` and `nft_meta_get_init`.
    fileprivate var loads: (into: Int, length: Int)? {
        switch self {
        // The protocol and the ports of a flow.
        case .ct(10, _, let into): (into, 1)
        case .ct(11, _, let into), .ct(12, _, let into): (into, 2)
        // The ethertype, the family and the protocol of a packet.
        case .meta(1, let into): (into, 2)
        case .meta(15, let into), .meta(16, let into): (into, 1)
        default: writes
        }
    }
}
