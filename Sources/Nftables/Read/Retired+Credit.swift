internal import CNetfilter
internal import NetTypes
internal import Rules

extension EndpointTable.Retired {
    /// Adds the final counters in the echo of deleted elements.
    mutating func credit(_ message: Message) {
        let set = message.attributes.first(UInt16(NFTA_SET_ELEM_LIST_SET.rawValue))?.text ?? ""
        let elements = ReadElement.all(in: CollectionOfOne(message))
        switch set {
        case Program.SetName.rules:
            for element in elements {
                rules[element.hostMark, default: RuleCount()].traffic += element.count
            }
        case Program.SetName.admitIn, Program.SetName.admitOut, Program.SetName.rangesIn,
            Program.SetName.rangesOut, Program.SetName.dhcpIn, Program.SetName.dhcpOut:
            for element in elements {
                guard let mark = element.admission?.rule else { continue }
                rules[mark, default: RuleCount()].admit(element.count.packets)
            }
        case Program.SetName.rejudged:
            for element in elements {
                rejudged[element.hostMark] = (rejudged[element.hostMark] ?? 0).addingCount(
                    element.count.packets)
            }
        default:
            creditFlows(elements, of: set)
        }
    }

    private mutating func creditFlows(_ elements: [ReadElement], of set: String) {
        guard let reason = Refusal(rawValue: String(set.dropLast())), let digit = set.last else {
            return
        }
        for element in elements {
            guard let flow = element.refusedFlow(reason, digit == "4" ? .v4 : .v6) else { continue }
            refused[flow, default: .zero] += element.count
        }
    }
}

extension RefusedFlow {
    /// The key of the flow's element, laid out as `SetDefinition` says.
    var key: [UInt8] {
        source.bytes + destination.bytes + [ipProtocol, 0, 0, 0] + sourcePort.networkBytes + [0, 0]
            + destinationPort.networkBytes + [0, 0]
    }
}
