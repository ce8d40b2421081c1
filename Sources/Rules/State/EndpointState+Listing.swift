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
            block("map", Name.admitIn, ingress.filter(\.isSingle).map(\.line)),
            block("map", Name.admitOut, egress.filter(\.isSingle).map(\.line)),
            block("map", Name.rangesIn, ingress.filter { !$0.isSingle }.map(\.line)),
            block("map", Name.rangesOut, egress.filter { !$0.isSingle }.map(\.line)),
            block("map", Name.rules, rules.entries.map(\.line)),
        ].joined()
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
        let first = IPProtocol(rawValue: protocols.lowerBound)
        let last = IPProtocol(rawValue: protocols.upperBound)
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
