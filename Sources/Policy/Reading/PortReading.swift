import NetTypes

extension DocumentReader {
    private enum Port {
        case range(ClosedRange<UInt16>)
        case name(String)
    }

    /// Numbers, ranges and names of ports, at least one.
    mutating func ports(
        _ node: SourceNode, _ number: IPProtocol, _ names: PortNames
    ) -> Service {
        let items = items(
            node, of: "ports", example: "ports: [443]",
            ifEmpty: "list a port, or delete the entry if it allows nothing")
        var ranges: [ClosedRange<UInt16>] = []
        var called: Set<String> = []
        for item in items ?? [] {
            switch port(item) {
            case .range(let range): ranges.append(range)
            case .name(let name):
                called.insert(name)
                note(name, number, names, at: item.place)
            case nil: break
            }
        }
        return .ports(number, IntervalSet(ranges), names: called.sorted())
    }

    private mutating func port(_ node: SourceNode) -> Port? {
        guard let text = node.text else {
            return number(node, "a port", in: 1...65535).map { .range(UInt16($0)...UInt16($0)) }
        }
        guard text.utf8.allSatisfy({ $0.isDigit || $0 == UInt8(ascii: "-") }), !text.isEmpty else {
            return name(node, "a port's name", .port).map { .name($0) }
        }
        return range(text, at: node.place)
    }

    private mutating func range(_ text: String, at place: SourcePlace) -> Port? {
        let ends = text.split(separator: "-", omittingEmptySubsequences: false)
            .map { Int(plainDecimal: $0) }
        guard ends.count == 2, let first = ends[0], let last = ends[1] else {
            return report(
                "a port is a number, a range such as 8000-8010 or a name, and here stands "
                    + text.quoted,
                fix: ends.count == 1 ? "write the number without quotes" : "write FIRST-LAST",
                at: place)
        }
        guard let low = UInt16(exactly: first), let high = UInt16(exactly: last), low > 0, high > 0
        else {
            return report(
                "the ports \(text) leave the range 1 to 65535", fix: "write ports in that range",
                at: place)
        }
        guard low <= high else {
            return report(
                "the range \(text) is reversed", fix: "write '\(last)-\(first)'", at: place)
        }
        return .range(low...high)
    }

    private mutating func note(
        _ name: String, _ number: IPProtocol, _ names: PortNames, at place: SourcePlace
    ) {
        switch names {
        case .unknown: return
        case .undeclared(let destination):
            report(
                "the port name \(name.quoted) can't be looked up: \(destination) declares no ports",
                fix: "write the port's number", at: place)
        case .declared(let peers):
            references.append(
                PolicyFile.Reference(
                    kind: .port(name, protocol: number.rawValue, of: peers), place: place))
        }
    }
}
