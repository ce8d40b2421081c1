import NetTypes

extension Service: CustomStringConvertible {
    /// The service as tables show it: `tcp 5432, 8000-8010`, `icmp 8/0`, `any`.
    public var description: String {
        guard let ipProtocol else { return "any" }
        if isDHCP { return "dhcp \(choices)" }
        return choices.isEmpty ? "\(ipProtocol)" : "\(ipProtocol) \(choices)"
    }

    /// The ports or messages that the service lists; empty where it lists none.
    var choices: String {
        switch self {
        case .any, .other: ""
        case .ports(_, let ports, let names):
            (ports.ranges.map(Self.text) + names).joined(separator: ", ")
        case .messages(_, let messages):
            messages.map(\.description).joined(separator: ", ")
        }
    }

    private static func text(_ range: ClosedRange<UInt16>) -> String {
        range.count == 1 ? "\(range.lowerBound)" : "\(range.lowerBound)-\(range.upperBound)"
    }
}

extension ICMPMessage: CustomStringConvertible {
    /// `TYPE` or `TYPE/CODE`.
    public var description: String { code.map { "\(type)/\($0)" } ?? "\(type)" }
}
