internal import CNetfilter
internal import NetTypes
internal import Rules

extension Batch {
    /// All elements of a change: what goes first, so that what comes finds its place free.
    mutating func add(_ changes: Changeset) {
        typealias Name = Program.SetName
        change(Name.rules, changes.rules, Element.elements)
        change(Name.admitIn, changes.ingress, Element.elements)
        change(Name.admitOut, changes.egress, Element.elements)
        change(Name.peers4, changes.peers4) { Element.elements($0) }
        change(Name.peers6, changes.peers6) { Element.elements($0) }
        let own4 = changes.own.only(.v4)
        let own6 = changes.own.only(.v6)
        change(Name.own4, own4) { Element.elements($0) }
        change(Name.own6, own6) { Element.elements($0) }
    }

    /// Forgets flows that the agent has read, so that their set has room again.
    mutating func forget(keys: [[UInt8]], of set: String) {
        send(keys.map { Element(key: $0) }, of: set, NFT_MSG_DELSETELEM, flags: NLM_F_ECHO)
    }

    private mutating func change<Value>(
        _ set: String, _ delta: Changeset.Delta<Value>, _ elements: (Value) -> [Element]
    ) {
        // The echo brings the final counters of what goes.
        send(
            delta.removed.flatMap(elements).map(\.withoutValue), of: set, NFT_MSG_DELSETELEM,
            flags: NLM_F_ECHO)
        send(
            delta.added.flatMap(elements), of: set, NFT_MSG_NEWSETELEM,
            flags: NLM_F_CREATE | NLM_F_EXCL)
    }

    /// Splits at 64 KiB: an attribute has no longer length.
    private mutating func send(
        _ elements: [Element], of name: String, _ type: nf_tables_msg_types, flags: Int32
    ) {
        guard !elements.isEmpty else { return }
        let set = nftnl_set_alloc()
        defer { nftnl_set_free(set) }
        nftnl_set_set_str(set, UInt16(NFTNL_SET_TABLE.rawValue), Program.tableName)
        nftnl_set_set_str(set, UInt16(NFTNL_SET_NAME.rawValue), name)
        nftnl_set_set_u32(set, UInt16(NFTNL_SET_FAMILY.rawValue), Self.inet)
        for element in elements { nftnl_set_elem_add(set, element.encoded()) }
        let iterator = nftnl_set_elems_iter_create(set)
        defer { nftnl_set_elems_iter_destroy(iterator) }
        var hasMore = true
        while hasMore {
            add(type, flags: flags, about: "elements of \(name)") {
                hasMore = nftnl_set_elems_nlmsg_build_payload_iter($0, iterator) > 0
            }
        }
    }
}

extension Element {
    fileprivate var withoutValue: Element {
        Element(key: key, keyEnd: keyEnd, endsInterval: endsInterval)
    }
}

extension Changeset.Delta<IPAddress> {
    fileprivate func only(_ family: AddressFamily) -> Self {
        Self(
            removed: removed.filter { $0.family == family },
            added: added.filter { $0.family == family })
    }
}
