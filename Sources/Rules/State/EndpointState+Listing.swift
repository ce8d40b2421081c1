internal import NetTypes

extension EndpointState {
    /// The maps as text, in the order and the notation in which `nft` lists them.
    public var listing: String {
        typealias Name = Program.SetName
        func own(_ family: AddressFamily) -> [String] {
            self.own.filter { $0.family == family }.map(\.description)
        }
        return [
            block("set", Name.own4, own(.v4)), block("set", Name.own6, own(.v6)),
            block("map", Name.peers4, peers4.map { $0.line { .v4($0) } }),
            block("map", Name.peers6, peers6.map { $0.line { .v6($0) } }),
            block("map", Name.admitIn, lines(.single, .ingress)),
            block("map", Name.admitOut, lines(.single, .egress)),
            block("map", Name.dhcpIn, lines(.dhcp, .ingress)),
            block("map", Name.dhcpOut, lines(.dhcp, .egress)),
            block("map", Name.rangesIn, lines(.ranges, .ingress)),
            block("map", Name.rangesOut, lines(.ranges, .egress)),
            block("map", Name.rules, rules.entries.map(\.line)),
        ].joined()
    }

    private func lines(_ kind: Admission.Kind, _ direction: Direction) -> [String] {
        admissions(direction).filter { $0.kind == kind }.map(\.line)
    }

    private func block(_ kind: String, _ name: String, _ lines: [String]) -> String {
        guard !lines.isEmpty else { return "\(kind) \(name) {}\n" }
        return "\(kind) \(name) {\n" + lines.map { "    \($0)\n" }.joined() + "}\n"
    }
}

extension PeerRange {
    fileprivate func line(_ address: (Number) -> IPAddress) -> String {
        let (low, high) = (addresses.lowerBound, addresses.upperBound)
        return "\(text(low...high, address)) comment \"\(comment)\" : \(peerClass)"
    }

    private func text(_ range: ClosedRange<Number>, _ address: (Number) -> IPAddress) -> String {
        range.lowerBound == range.upperBound
            ? "\(address(range.lowerBound))"
            : "\(address(range.lowerBound))-\(address(range.upperBound))"
    }
}

extension Admission {
    fileprivate var line: String {
        let first = isDHCP ? .udp : IPProtocol(rawValue: protocols.lowerBound)
        let last = isDHCP ? .udp : IPProtocol(rawValue: protocols.upperBound)
        let protocols = first == last ? "\(first)" : "\(first.rawValue)-\(last.rawValue)"
        let ports =
            ports.count == 1
            ? "\(ports.lowerBound)" : "\(self.ports.lowerBound)-\(self.ports.upperBound)"
        return "\(peerClass) . \(protocols) . \(ports) : \(rule)"
    }
}

extension Changeset.Entry {
    fileprivate var line: String { "\(mark) comment \"\(rule.comment)\" : accept" }
}
