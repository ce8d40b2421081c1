extension RandomPolicies {
    /// Which namespaces each tenant claims: mostly one claims each, seldom none or two.
    mutating func assignments() -> [String: [Int]] {
        var claims: [String: [Int]] = [:]
        let count = SmallWorld().namespaces.count
        for index in 0..<count where !generator.once(in: 12) {
            claims[generator.pick(Self.tenants), default: []].append(index)
            if generator.once(in: 20) {
                claims[generator.pick(Self.tenants), default: []].append(index)
            }
        }
        return claims
    }

    mutating func tenant(_ name: String, _ claims: [Int]) -> String {
        var lines = ["apiVersion: ringfence/v1", "kind: Tenant", "name: \(name)"]
        lines.append(
            "labels: {env: \(generator.pick(["prod", "test"])), tier: \(generator.pick(["a", "b"]))}"
        )
        if !claims.isEmpty {
            lines.append("endpoints:")
            for index in claims {
                let role = generator.once(in: 2) ? ", role: main" : ""
                let app = generator.pick(["web", "api"])
                lines.append("  - {namespace: n\(index), labels: {app: \(app)\(role)}}")
            }
        }
        if generator.once(in: 8) {
            let networks = generator.some(
                of: ["10.1.0.0/26", "10.2.0.0/16", "fd00:1::/64", "fd00:2::/64"], 1...3)
            lines.append("addresses: [\(networks.joined(separator: ", "))]")
        }
        lines.append(
            "ports: {web: \(port), dns: {protocol: udp, port: \(port)}, "
                + "sig: {protocol: sctp, port: \(port)}}")
        if generator.once(in: 2) { lines.append("internal: deny") }
        if generator.once(in: 3) { lines.append("world: \(outside)") }
        if generator.once(in: 3) { lines.append("host: \(outside)") }
        if generator.once(in: 3) { lines.append("dhcp: \(generator.pick(Self.servers))") }
        return lines.joined(separator: "\n") + "\n"
    }

    private static let servers = [
        "host", "[10.1.0.1]", "[192.0.2.9, host]", "[10.2.0.1, 10.1.0.2]", "['fd00:1::1']",
        "['fe80::2', 10.1.0.1]",
    ]

    private var outside: String {
        mutating get {
            let to = allowed(names: false)
            let from = allowed(names: true)
            return "{to: \(to), from: \(from)}"
        }
    }

    private mutating func allowed(names: Bool) -> String {
        switch generator.number(0...3) {
        case 0: "all"
        case 1: "none"
        default: "[\(services(names: names).joined(separator: ", "))]"
        }
    }

    var port: Int {
        mutating get { generator.pick(Self.ports) }
    }

    /// Bounds where sign, byte order and the ends of the range show.
    private static let ports = [
        1, 2, 22, 53, 80, 255, 256, 443, 1023, 1024, 5000, 8000, 8080, 20480, 32767, 32768, 65534,
        65535,
    ]
}
