internal import CNetfilter
internal import NetTypes
internal import Rules

extension Batch {
    /// All elements of a change: what goes first, so that what comes finds its place free.
    mutating func add(_ changes: Changeset) {
        typealias Name = Program.SetName
        change(Name.rules, changes.rules, Element.elements)
        for kind in Admission.Kind.allCases {
            change(kind.map(.ingress), changes.ingress.only(kind), Element.elements)
            change(kind.map(.egress), changes.egress.only(kind), Element.elements)
        }
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
        var sent = 0
        while sent < elements.count {
            add(type, flags: flags, about: "elements of \(name)") {
                sent += elements.put(of: name, from: sent, into: $0)
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
