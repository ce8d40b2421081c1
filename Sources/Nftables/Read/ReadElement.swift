internal import CNetfilter
internal import NetTypes
internal import Rules

/// A set element as the kernel shows it.
struct ReadElement {
    private(set) var key: ArraySlice<UInt8> = []
    private(set) var keyEnd: ArraySlice<UInt8>?
    private(set) var data: ArraySlice<UInt8>?
    private(set) var accepts = false
    private(set) var endsInterval = false
    /// Whether it has flags that no agent sets: NFT_SET_ELEM_CATCHALL, for one, stands for every key.
    private(set) var isStrange = false
    private(set) var comment: String?
    private(set) var count = Count.zero

    /// The elements of the messages of a dump or an echo.
    static func all(in messages: some Sequence<Message>) -> [ReadElement] {
        var elements: [ReadElement] = []
        for message in messages {
            let list = message.attributes.first(UInt16(NFTA_SET_ELEM_LIST_ELEMENTS.rawValue))
            guard let list = list?.nested else { continue }
            for item in list { elements.append(ReadElement(item.nested)) }
        }
        return elements
    }

    init(_ attributes: Attributes) {
        for attribute in attributes {
            switch UInt32(attribute.type) {
            case NFTA_SET_ELEM_KEY.rawValue: key = Self.value(attribute) ?? []
            case NFTA_SET_ELEM_KEY_END.rawValue: keyEnd = Self.value(attribute)
            case NFTA_SET_ELEM_DATA.rawValue: readData(attribute)
            case NFTA_SET_ELEM_FLAGS.rawValue:
                let end = UInt64(NFT_SET_ELEM_INTERVAL_END.rawValue)
                endsInterval = attribute.number & end != 0
                isStrange = attribute.number & ~end != 0
            case NFTA_SET_ELEM_USERDATA.rawValue: comment = UserData.comment(in: attribute.payload)
            case NFTA_SET_ELEM_EXPR.rawValue: count = Self.counter(attribute.nested) ?? count
            default: continue
            }
        }
    }

    private mutating func readData(_ attribute: Attribute) {
        data = Self.value(attribute)
        let verdict = attribute.nested.first(UInt16(NFTA_DATA_VERDICT.rawValue))?.nested
        let code = verdict?.first(UInt16(NFTA_VERDICT_CODE.rawValue))?.number
        accepts = code == 1
    }

    private static func value(_ attribute: Attribute) -> ArraySlice<UInt8>? {
        attribute.nested.first(UInt16(NFTA_DATA_VALUE.rawValue))?.payload
    }

    /// The packets and bytes of a counter expression.
    static func counter(_ expression: Attributes) -> Count? {
        guard expression.first(UInt16(NFTA_EXPR_NAME.rawValue))?.text == "counter",
            let data = expression.first(UInt16(NFTA_EXPR_DATA.rawValue))?.nested
        else { return nil }
        return Count(
            packets: data.first(UInt16(NFTA_COUNTER_PACKETS.rawValue))?.number ?? 0,
            bytes: data.first(UInt16(NFTA_COUNTER_BYTES.rawValue))?.number ?? 0)
    }
}

extension ReadElement {
    /// Whether it stands for one key of so many bytes.
    func isPlain(_ length: Int) -> Bool {
        !isStrange && !endsInterval && keyEnd == nil && key.count == length
    }

    /// Whether it is an end of an interval of such keys, and has a mark if it is the first.
    func isInterval(_ length: Int) -> Bool {
        !isStrange && key.count == length && (endsInterval || data?.count == 4)
    }

    /// A mark that stands in host byte order.
    var hostMark: Mark { Mark(rawValue: UInt32(networkBytes: key.reversed())) }

    var markData: Mark { Mark(rawValue: UInt32(networkBytes: (data ?? []).reversed())) }

    /// An admission of one port, whose class stands in host byte order, or of a range.
    var admission: Admission? {
        let end = keyEnd ?? key
        let peerClass = UInt32(networkBytes: key.prefix(4))
        guard key.count >= 10, end.count >= 10 else { return nil }
        let (first, last) = (key.startIndex, end.startIndex)
        let protocols = key[first + 4]...max(key[first + 4], end[last + 4])
        let low = UInt16(networkBytes: key[(first + 8)..<(first + 10)])
        let high = UInt16(networkBytes: end[(last + 8)..<(last + 10)])
        return Admission(
            peerClass: Mark(rawValue: keyEnd == nil ? peerClass.byteSwapped : peerClass),
            protocols: protocols,
            ports: low...max(low, high), rule: markData)
    }

    func refusedFlow(_ reason: Refusal, _ family: AddressFamily) -> RefusedFlow? {
        let width = family == .v4 ? 4 : 16
        guard key.count >= 2 * width + 12,
            let source = IPAddress(bytes: key.prefix(width)),
            let destination = IPAddress(bytes: key.dropFirst(width).prefix(width))
        else { return nil }
        let rest = key.dropFirst(2 * width)
        return RefusedFlow(
            reason: reason, source: source, destination: destination,
            ipProtocol: rest.first ?? 0,
            sourcePort: UInt16(networkBytes: rest.dropFirst(4).prefix(2)),
            destinationPort: UInt16(networkBytes: rest.dropFirst(8).prefix(2)))
    }
}

extension Admission {
    /// An element of the maps of DHCP as the state has it; nil for what no agent writes there.
    var ofDHCP: Admission? {
        guard protocols == 17...17 else { return nil }
        return Admission(peerClass: peerClass, protocols: 0...0, ports: ports, rule: rule)
    }
}
