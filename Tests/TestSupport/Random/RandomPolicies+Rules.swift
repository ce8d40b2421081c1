internal import NetTypes

extension RandomPolicies {
    mutating func policy(_ name: String) -> String {
        let (from, to) = sides
        let isNamed = !to.isEmpty && to.allSatisfy(\.selectsEndpoints)
        return """
            apiVersion: ringfence/v1
            kind: Policy
            name: \(name)
            from: [\(from.map(\.text).joined(separator: ", "))]
            to: [\(to.map(\.text).joined(separator: ", "))]
            allow: [\(services(names: isNamed).joined(separator: ", "))]

            """
    }

    private struct PeerText {
        let text: String
        let selectsEndpoints: Bool
    }

    /// Both ends, one of which at least names tenants.
    private var sides: (from: [PeerText], to: [PeerText]) {
        mutating get {
            let near = generator.list(1...2) { Self.endpoints(&$0) }
            let far = generator.list(1...3) {
                $0.once(in: 2) ? Self.endpoints(&$0) : Self.addresses(&$0)
            }
            return generator.once(in: 2) ? (near, far) : (far, near)
        }
    }

    private static func endpoints(_ generator: inout SeededGenerator) -> PeerText {
        let tenant =
            switch generator.number(0...4) {
            case 0: "tenants: all"
            case 1: "tenants: {matchLabels: {env: \(generator.pick(["prod", "test"]))}}"
            default: "tenant: \(generator.pick(tenants))"
            }
        let endpoints =
            switch generator.number(0...5) {
            case 0: ", endpoints: {matchLabels: {app: \(generator.pick(["web", "api"]))}}"
            case 1: ", endpoints: {matchExpressions: [{key: role, operator: Exists}]}"
            case 2:
                ", endpoints: {matchExpressions: [{key: role, operator: NotIn, values: [main]}]}"
            default: ""
            }
        return PeerText(text: "{\(tenant)\(endpoints)}", selectsEndpoints: true)
    }

    private static func addresses(_ generator: inout SeededGenerator) -> PeerText {
        switch generator.number(0...5) {
        case 0: return PeerText(text: "world", selectsEndpoints: false)
        case 1: return PeerText(text: "host", selectsEndpoints: false)
        default:
            let prefix = generator.prefix()
            var except = generator.list(0...3) { $0.prefix(inside: prefix) }
                .filter { $0 != prefix }
            // What leaves nothing is a mistake, also where only all of it together does.
            if prefix.addresses.subtracting(AddressSet(except)).isEmpty { except = [] }
            let holes =
                except.isEmpty
                ? "" : ", except: [\(except.map { "'\($0)'" }.joined(separator: ", "))]"
            return PeerText(text: "{cidr: '\(prefix)'\(holes)}", selectsEndpoints: false)
        }
    }

    mutating func services(names: Bool) -> [String] {
        let count = generator.number(1...3)
        return (0..<count).map { _ in service(names: names) }
    }

    private mutating func service(names: Bool) -> String {
        switch generator.number(0...11) {
        case 0: return "{protocol: any}"
        case 1: return "{protocol: \(generator.pick([0, 2, 4, 6, 17, 47, 50, 89, 253, 255]))}"
        case 2, 3: return "{protocol: icmp\(types([0, 3, 8, 13, 15, 17]))}"
        case 4, 5: return "{protocol: icmpv6\(types([1, 128, 129, 135, 139]))}"
        default: break
        }
        let (number, name) = generator.pick([
            ("tcp", "web"), ("tcp", "web"), ("udp", "dns"), ("sctp", "sig"),
        ])
        if generator.once(in: 8) { return "{protocol: \(number)}" }
        var ports = (0..<generator.number(1...4)).map { _ in portRange }
        if names, generator.once(in: 3) { ports.append(name) }
        return "{protocol: \(number), ports: [\(ports.joined(separator: ", "))]}"
    }

    private var portRange: String {
        mutating get {
            let (one, other) = (port, port)
            if generator.once(in: 2) { return "\(one)" }
            return "\(min(one, other))-\(max(one, other))"
        }
    }

    private mutating func types(_ numbers: [Int]) -> String {
        if generator.once(in: 3) { return "" }
        let types = generator.list(1...3) { generator in
            let type = generator.pick(numbers)
            return generator.once(in: 2)
                ? "\(type)" : "{type: \(type), code: \(generator.pick([0, 1, 255]))}"
        }
        return ", types: [\(types.joined(separator: ", "))]"
    }
}
