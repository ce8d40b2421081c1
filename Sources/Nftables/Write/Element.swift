internal import CNetfilter
internal import NetTypes
internal import Rules

/// A set element in the kernel's form.
struct Element {
    enum Value {
        case none
        case mark(Mark)
        case accept
    }

    let key: [UInt8]
    /// The last key of a concatenated range.
    var keyEnd: [UInt8]?
    /// Whether the key is the first one behind an interval.
    var endsInterval = false
    var value = Value.none
    var comment = ""

    /// The elements of a delta of one map.
    static func elements(_ address: IPAddress) -> [Element] { [Element(key: address.bytes)] }

    /// An interval is its first key, and the first key behind it unless the address space ends.
    static func elements<Number>(_ range: PeerRange<Number>) -> [Element] {
        let first = Element(
            key: range.addresses.lowerBound.networkBytes, value: .mark(range.peerClass),
            comment: range.comment)
        guard range.addresses.upperBound < .max else { return [first] }
        let end = (range.addresses.upperBound + 1).networkBytes
        return [first, Element(key: end, endsInterval: true)]
    }

    static func elements(_ admission: Admission) -> [Element] {
        // One array and no more: a start makes hundreds of thousands of them.
        func key(_ number: UInt8, _ port: UInt16) -> [UInt8] {
            let mark = admission.peerClass.rawValue
            return [
                UInt8(truncatingIfNeeded: mark >> 24), UInt8(truncatingIfNeeded: mark >> 16),
                UInt8(truncatingIfNeeded: mark >> 8), UInt8(truncatingIfNeeded: mark),
                number, 0, 0, 0, UInt8(port >> 8), UInt8(truncatingIfNeeded: port), 0, 0,
            ]
        }
        return [
            Element(
                key: key(admission.protocols.lowerBound, admission.ports.lowerBound),
                keyEnd: key(admission.protocols.upperBound, admission.ports.upperBound),
                value: .mark(admission.rule))
        ]
    }

    static func elements(_ entry: Changeset.Entry) -> [Element] {
        [
            Element(
                key: entry.mark.rawValue.networkBytes.reversed(), value: .accept,
                comment: entry.rule.comment)
        ]
    }

    /// The element as libnftnl wants it; the set that takes it frees it.
    func encoded() -> OpaquePointer? {
        let element = nftnl_set_elem_alloc()
        func put(_ attribute: Int, _ bytes: [UInt8]) {
            nftnl_set_elem_set(element, UInt16(attribute), bytes, UInt32(bytes.count))
        }
        put(NFTNL_SET_ELEM_KEY, key)
        if let keyEnd { put(NFTNL_SET_ELEM_KEY_END, keyEnd) }
        if endsInterval {
            nftnl_set_elem_set_u32(
                element, UInt16(NFTNL_SET_ELEM_FLAGS), NFT_SET_ELEM_INTERVAL_END.rawValue)
        }
        switch value {
        case .none: break
        case .mark(let mark): put(NFTNL_SET_ELEM_DATA, mark.rawValue.networkBytes.reversed())
        case .accept:
            nftnl_set_elem_set_u32(
                element, UInt16(NFTNL_SET_ELEM_VERDICT),
                UInt32(bitPattern: Expression.Verdict.accept.code))
        }
        if !comment.isEmpty {
            put(NFTNL_SET_ELEM_USERDATA, UserData.comment(comment))
        }
        return element
    }
}
