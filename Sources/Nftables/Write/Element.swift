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
        // A single port's class stands in host byte order, a range's in network byte order, in which
        // the kernel compares.
        let isSingle = admission.isSingle
        let mark =
            isSingle ? admission.peerClass.rawValue.byteSwapped : admission.peerClass.rawValue
        // Messages of DHCP are UDP on the wire, and have a map of their own.
        let protocols = admission.isDHCP ? 17...17 : admission.protocols
        // One array and no more: a start makes hundreds of thousands of them.
        func key(_ number: UInt8, _ port: UInt16) -> [UInt8] {
            [
                UInt8(truncatingIfNeeded: mark >> 24), UInt8(truncatingIfNeeded: mark >> 16),
                UInt8(truncatingIfNeeded: mark >> 8), UInt8(truncatingIfNeeded: mark),
                number, 0, 0, 0, UInt8(port >> 8), UInt8(truncatingIfNeeded: port), 0, 0,
            ]
        }
        return [
            Element(
                key: key(protocols.lowerBound, admission.ports.lowerBound),
                keyEnd: isSingle ? nil : key(protocols.upperBound, admission.ports.upperBound),
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

    /// The most bytes that one takes in a message: its keys, a value, a comment of 255, and their
    /// headers.
    static let greatestSize = 384

    /// Adds the element to a list that is open in the message.
    ///
    /// The attributes are those of `enum nft_set_elem_attributes` in linux/netfilter/nf_tables.h. libnftnl
    /// would make several objects of each element first, and a first start has half a million.
    func put(into header: UnsafeMutablePointer<nlmsghdr>) {
        let element = mnl_attr_nest_start(header, UInt16(NFTA_LIST_ELEM.rawValue))
        defer { mnl_attr_nest_end(header, element) }
        put(key, as: NFTA_SET_ELEM_KEY, into: header)
        if let keyEnd { put(keyEnd, as: NFTA_SET_ELEM_KEY_END, into: header) }
        if endsInterval {
            mnl_attr_put_u32(
                header, UInt16(NFTA_SET_ELEM_FLAGS.rawValue),
                NFT_SET_ELEM_INTERVAL_END.rawValue.bigEndian)
        }
        switch value {
        case .none: break
        case .mark(let mark):
            put(mark.rawValue.networkBytes.reversed(), as: NFTA_SET_ELEM_DATA, into: header)
        case .accept:
            let data = mnl_attr_nest_start(header, UInt16(NFTA_SET_ELEM_DATA.rawValue))
            let verdict = mnl_attr_nest_start(header, UInt16(NFTA_DATA_VERDICT.rawValue))
            mnl_attr_put_u32(
                header, UInt16(NFTA_VERDICT_CODE.rawValue),
                UInt32(bitPattern: Expression.Verdict.accept.code).bigEndian)
            mnl_attr_nest_end(header, verdict)
            mnl_attr_nest_end(header, data)
        }
        if !comment.isEmpty {
            let text = UserData.comment(comment)
            mnl_attr_put(
                header, UInt16(NFTA_SET_ELEM_USERDATA.rawValue), text.count, text)
        }
    }

    private func put(
        _ bytes: [UInt8], as attribute: nft_set_elem_attributes,
        into header: UnsafeMutablePointer<nlmsghdr>
    ) {
        let data = mnl_attr_nest_start(header, UInt16(attribute.rawValue))
        mnl_attr_put(header, UInt16(NFTA_DATA_VALUE.rawValue), bytes.count, bytes)
        mnl_attr_nest_end(header, data)
    }
}

extension [Element] {
    /// Puts elements of a set into a message, as many as it takes; gives how many those are.
    ///
    /// An attribute's length has 16 bits, the list's as well.
    func put(
        of set: String, from first: Int, into header: UnsafeMutablePointer<nlmsghdr>
    ) -> Int {
        mnl_attr_put_strz(
            header, UInt16(NFTA_SET_ELEM_LIST_TABLE.rawValue), Program.tableName)
        mnl_attr_put_strz(header, UInt16(NFTA_SET_ELEM_LIST_SET.rawValue), set)
        let list = mnl_attr_nest_start(header, UInt16(NFTA_SET_ELEM_LIST_ELEMENTS.rawValue))
        let end = Int(header.pointee.nlmsg_len) + Int(UInt16.max) - 2 * Element.greatestSize
        var next = first
        while next < count, Int(header.pointee.nlmsg_len) < end {
            self[next].put(into: header)
            next += 1
        }
        mnl_attr_nest_end(header, list)
        return next - first
    }
}
