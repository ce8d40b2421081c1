import NetTypes

/// Whether port names mean something in a list of services.
enum PortNames {
    /// They are looked up at the tenants that these peers name.
    case declared(by: [Peer])
    /// The destination declares no ports.
    case undeclared(destination: String)
    /// The destination itself is wrong, which was reported already.
    case unknown
}

extension DocumentReader {
    /// With a word where the port belongs: what is pasted without thinking opens nothing.
    private static let serviceExample = "- {protocol: tcp, ports: [PORT]}"
    private static let portProtocols = "tcp, udp or sctp"

    /// The entries of an `allow` list, at least one.
    mutating func services(
        _ node: SourceNode, _ what: String, entry: String = "an allow entry", names: PortNames,
        ifEmpty fix: String
    ) -> [(service: Service, place: SourcePlace)] {
        let items = items(
            node, of: what, example: "\(what): [{protocol: tcp, ports: [PORT]}]", ifEmpty: fix)
        return (items ?? []).compactMap { item in
            service(item, entry, names: names).map { ($0, item.place) }
        }
    }

    private mutating func service(
        _ node: SourceNode, _ what: String, names: PortNames
    ) -> Service? {
        guard
            let fields = fields(
                node, of: what, keys: ["protocol", "ports", "types"], example: Self.serviceExample),
            let selector = require(
                "protocol", in: fields, of: what, example: "protocol: PROTOCOL")
        else { return nil }
        if selector.text == "any" {
            refuse("ports", in: fields, of: "any")
            refuse("types", in: fields, of: "any")
            return .any
        }
        return ipProtocol(selector).map { service(of: $0, fields, names) }
    }

    private mutating func service(
        of number: IPProtocol, _ fields: Fields, _ names: PortNames
    ) -> Service {
        if !number.hasPorts { refuse("ports", in: fields, of: "\(number)") }
        if !number.isICMP { refuse("types", in: fields, of: "\(number)") }
        if number.hasPorts {
            return fields["ports"].map { ports($0, number, names) }
                ?? .ports(number, IntervalSet(), names: [])
        }
        guard number.isICMP else { return .other(number) }
        return .messages(number, fields["types"].map { messages($0, number) } ?? [])
    }

    private mutating func ipProtocol(_ node: SourceNode) -> IPProtocol? {
        if let text = node.text, let named = IPProtocol.named.first(where: { $0.name == text }) {
            return named.value
        }
        if let number = node.number, let byte = UInt8(exactly: number) {
            return IPProtocol(rawValue: byte)
        }
        let words = IPProtocol.named.map(\.name) + ["any"]
        return report(
            "protocol is \(node.found), and must be \(words.joined(separator: ", "))"
                + " or a number from 0 to 255",
            fix: protocolFix(node), at: node.place)
    }

    /// Never `any`, and no protocol alone where a port was meant.
    private func protocolFix(_ node: SourceNode) -> String {
        let parts = node.text?.split(separator: "/", maxSplits: 1) ?? []
        let names = IPProtocol.named.map(\.name)
        if parts.count == 2, let name = names.first(where: { $0 == parts[0] }) {
            return "write 'protocol: \(name)' and 'ports: [\(parts[1])]'"
        }
        if let nearest = node.text.flatMap({ names.nearest(to: $0) }) {
            return "write 'protocol: \(nearest)'"
        }
        return "write one of these; a service such as https is a protocol with 'ports'"
    }

    private mutating func refuse(_ key: String, in fields: Fields, of number: String) {
        guard let place = fields.keyPlace(key) else { return }
        let owners = key == "ports" ? "tcp, udp and sctp" : "icmp and icmpv6"
        // Without the key the entry would allow more than these ports or types.
        let right = key == "ports" ? Self.portProtocols : "icmp or icmpv6"
        report(
            "'\(key)' stands with the protocol \(number), and only \(owners) have them",
            fix: "write \(right) as the protocol", at: place)
    }
}

// ICMP types.
extension DocumentReader {
    private mutating func messages(_ node: SourceNode, _ number: IPProtocol) -> [ICMPMessage] {
        let items = items(
            node, of: "types", example: "types: [echo-request]",
            ifEmpty: "list a type, or delete the entry if it allows nothing")
        let messages = (items ?? []).compactMap { message($0, number) }
        // Types with and without a code start alike, and rule ids depend on the order.
        return Set(messages).sorted {
            ($0.range.lowerBound, $0.range.upperBound)
                < ($1.range.lowerBound, $1.range.upperBound)
        }
    }

    private mutating func message(_ node: SourceNode, _ number: IPProtocol) -> ICMPMessage? {
        guard case .mapping = node.content else {
            return type(node, number).map { ICMPMessage(type: $0) }
        }
        let what = "a type with a code"
        guard
            let fields = fields(
                node, of: what, keys: ["type", "code"], example: "{type: 3, code: 4}")
        else { return nil }
        let type = require("type", in: fields, of: what, example: "type: 3")
            .flatMap { self.type($0, number) }
        let code = require("code", in: fields, of: what, example: "code: 4")
            .flatMap { self.number($0, "code", in: 0...255) }
        guard let type, let code else { return nil }
        return ICMPMessage(type: type, code: UInt8(code))
    }

    private mutating func type(_ node: SourceNode, _ number: IPProtocol) -> UInt8? {
        guard let text = node.text else {
            return self.number(node, "an \(number) type", in: 0...255).map { UInt8($0) }
        }
        if let type = ICMPTypeNames.type(text, of: number) { return type }
        let words = ICMPTypeNames.names(of: number).map(\.name)
        let fix =
            if let nearest = words.nearest(to: text) {
                "write '\(nearest)'"
            } else if Int(plainDecimal: text) != nil {
                "write \(text) without quotes"
            } else {
                "write a number, or \(words.alternatives)"
            }
        return report("\(number) has no type called \(text.quoted)", fix: fix, at: node.place)
    }
}
