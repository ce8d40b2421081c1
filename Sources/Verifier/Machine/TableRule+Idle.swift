/// What can be said of a rule without a packet.
extension TableRule {
    /// Whether nothing that it does can be seen by another rule or changes what becomes of packets.
    var isIdle: Bool {
        expressions.allSatisfy { expression in
            switch expression {
            case .payload, .meta, .ct, .compare, .range, .mask, .shift, .byteorder, .load,
                .harmless, .sometimes, .unknowable, .header, .dynset, .verdict(.goOn):
                true
            case .lookup(_, _, let into, _): into != -1
            default: false
            }
        }
    }

    /// Whether it reads no register that it has not written before: what an earlier rule of the
    /// chain left there is nothing to it.
    ///
    /// The keys' lengths of the table's sets stand in a dictionary.
    func readsOwnOnly(_ keys: [String: Int]) -> Bool {
        var written: Set<Int> = []
        func write(_ from: Int, _ length: Int) {
            written.formUnion(from..<(from + ((length + 3) & ~3)))
        }
        for expression in expressions {
            for (from, length) in expression.reads(keys)
            where !(from..<(from + length)).allSatisfy(written.contains) { return false }
            if let (into, length) = expression.writes { write(into, length) }
        }
        return true
    }
}

extension Expression {
    /// The registers that it reads: where they start, and how many bytes.
    fileprivate func reads(_ keys: [String: Int]) -> [(from: Int, length: Int)] {
        switch self {
        case .setPayload(_, _, let length, let from): [(from, length)]
        case .setMeta(_, let from), .setCt(_, let from): [(from, 1)]
        case .compare(_, let from, let bytes): [(from, bytes.count)]
        case .range(let from, let low, _, _): [(from, low.count)]
        case .mask(let from, _, let mask, _): [(from, mask.count)]
        case .shift(_, let from, _, let length, _), .byteorder(let from, _, let length, _):
            [(from, length)]
        case .lookup(let set, let key, _, _), .dynset(let set, let key, _, _):
            [(key, keys[set] ?? 64)]
        case .translate(let translation):
            [translation.address, translation.port].compactMap(\.self)
                .flatMap { [($0.low, 2), ($0.high, 2)] }
        default: []
        }
    }

    /// The registers that it writes; how many bytes, if only at least so many are known.
    var writes: (into: Int, length: Int)? {
        switch self {
        case .payload(_, _, let length, let into), .header(_, _, _, let length, _, let into),
            .unknowable(_, let length, let into):
            (into, length)
        // Bytes and packets of a flow, its labels, its addresses of IPv6.
        case .ct(14, _, let into), .ct(15, _, let into), .ct(16, _, let into): (into, 8)
        case .ct(6, _, let into), .ct(21, _, let into), .ct(22, _, let into): (into, 16)
        case .meta(6, let into), .meta(7, let into): (into, 16)
        case .meta(_, let into), .ct(_, _, let into): (into, 4)
        case .mask(_, let into, let mask, _): (into, mask.count)
        case .shift(_, _, let into, let length, _), .byteorder(_, let into, let length, _):
            (into, length)
        case .load(let bytes, let into): (into, bytes.count)
        case .lookup(_, _, let into, _): into.flatMap { $0 >= 0 ? ($0, 4) : nil }
        default: nil
        }
    }
}
