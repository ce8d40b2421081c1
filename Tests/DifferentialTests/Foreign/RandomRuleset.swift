import TestSupport

/// A ruleset of somebody else's, as text for `nft`: a few tables with chains, sets, maps and jumps
/// whose constants lie close to those of the packets that meet them.
struct RandomRuleset {
    private var random: SeededGenerator
    private var lines: [String] = []
    private var sets: [String: [String]] = [:]

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    /// The constants that packets and rules share.
    static let addresses4 = ["10.1.0.1", "10.1.0.2", "10.1.0.3", "10.2.0.1", "192.0.2.7"]
    static let addresses6 = ["fd00:1::1", "fd00:1::2", "fd00:2::1", "2001:db8::7"]
    static let ports = [22, 53, 80, 81, 443, 1024, 8080]

    /// The text, which starts by flushing what an earlier one made.
    mutating func text() -> String {
        var tables = (0..<random.number(1...2)).map { table("t\($0)") }
        if random.once(in: 3) { tables.append(deviceTable()) }
        return tables.joined(separator: "\n")
    }

    /// A table at one device, which may be one that packets don't come through.
    ///
    /// At its ingress: what an egress drops, the observing table has already seen.
    private mutating func deviceTable() -> String {
        let device = random.pick([Tunnel.name, Tunnel.name, "lo"])
        let policy = random.once(in: 4) ? "drop" : "accept"
        let address = random.pick(Self.addresses4)
        let port = random.pick(Self.ports)
        let verdict = policy == "drop" ? "accept" : "drop"
        return """
            table netdev d0 {
              chain ingress {
                type filter hook ingress device "\(device)" priority \(random.pick([-10, 0, 10])); policy \(policy);
                ip \(random.pick(["saddr", "daddr"])) \(address) \(verdict)
                tcp dport \(port) \(verdict)
                ip6 nexthdr udp \(verdict)
              }
            }
            """
    }

    private mutating func table(_ name: String) -> String {
        let family = random.pick(["inet", "inet", "ip", "ip6"])
        var body: [String] = []
        sets = [:]
        for (set, text) in namedSets(family) {
            sets[set.kind, default: []].append(set.name)
            body.append(text)
        }
        let helpers = (0..<2).map { "c\($0)" }
        for (index, chain) in helpers.enumerated() {
            let next = index + 1 < helpers.count ? helpers[index + 1] : nil
            body.append("  chain \(chain) {\n\(rules(family, next, hook: "input"))\n  }")
        }
        for hook in random.some(of: ["prerouting", "input", "output"], 1...3) {
            let priority = random.pick([-310, -150, 0, 10, 50])
            let policy = random.once(in: 4) ? "drop" : "accept"
            body.append(
                """
                  chain \(hook) {
                    type filter hook \(hook) priority \(priority); policy \(policy);
                \(rules(family, helpers.first, hook: hook, isEarly: priority < -200))
                  }
                """)
        }
        // A chain has to be there before another jumps to it.
        let chains = body.filter { $0.hasPrefix("  chain") }
        return "table \(family) \(name) {\n"
            + (body.filter { $0.hasPrefix("  set") || $0.hasPrefix("  map") }
            + chains.reversed()
            .filter { $0.hasPrefix("  chain c") }
            + body.filter {
                $0.hasPrefix("  chain") && !$0.hasPrefix("  chain c")
            }).joined(separator: "\n") + "\n}\n"
    }

    private struct SetName {
        let kind: String
        let name: String
    }

    private mutating func namedSets(_ family: String) -> [(SetName, String)] {
        var result: [(SetName, String)] = []
        let ports = random.some(of: Self.ports, 1...4).map(String.init)
        result.append(
            (
                SetName(kind: "ports", name: "ports"),
                "  set ports { type inet_service; elements = { \(ports.joined(separator: ", ")) }; }"
            ))
        result.append(
            (
                SetName(kind: "ranges", name: "ranges"),
                "  set ranges { type inet_service; flags interval; elements = { 50-90, 400-500 }; }"
            ))
        if family != "ip6" {
            let some = random.some(of: Self.addresses4, 1...3).joined(separator: ", ")
            result.append(
                (
                    SetName(kind: "hosts4", name: "hosts4"),
                    "  set hosts4 { type ipv4_addr; elements = { \(some) }; }"
                ))
            result.append(
                (
                    SetName(kind: "pairs4", name: "pairs4"),
                    """
                      set pairs4 { type ipv4_addr . inet_proto . inet_service; flags interval;
                        elements = { 10.1.0.0/30 . tcp . 50-100, 10.2.0.1 . udp . 53,
                          192.0.2.0/24 . 0-255 . 443 }; }
                    """
                ))
        }
        if family != "ip6" {
            result.append(
                (
                    SetName(kind: "shades", name: "shades"),
                    """
                      map shades { type ipv4_addr . inet_proto . inet_service : mark; flags interval;
                        elements = { 10.1.0.0/30 . tcp . 50-80 : 0x1, 10.1.0.0/30 . tcp . 81 : 0x2,
                          10.1.0.0/30 . udp . 53 : 0x10, 10.2.0.1 . tcp . 22 : 0x2,
                          10.2.0.1 . tcp . 80-443 : 0x1 }; }
                    """
                ))
        }
        if family != "ip" {
            result.append(
                (
                    SetName(kind: "nets6", name: "nets6"),
                    "  set nets6 { type ipv6_addr; flags interval; "
                        + "elements = { fd00:1::/127, 2001:db8::/32 }; }"
                ))
        }
        result.append(
            (
                SetName(kind: "marks", name: "marks"),
                "  map marks { type inet_service : mark; "
                    + "elements = { 80 : 0x1, 443 : 0x2, 8080 : 0x10 }; }"
            ))
        result.append(
            (
                SetName(kind: "fates", name: "fates"),
                "  map fates { type mark : verdict; elements = { 0x1 : accept, 0x2 : drop }; }"
            ))
        return result
    }

    private mutating func rules(
        _ family: String, _ jump: String?, hook: String, isEarly: Bool = false
    ) -> String {
        (0..<random.number(1...5)).map { _ in
            let conditions = (0..<random.number(0...2)).map { _ in
                condition(family, isEarly: isEarly)
            }
            return "    "
                + (conditions + [action(family, jump, isEarly: isEarly)])
                .joined(separator: " ")
        }.joined(separator: "\n")
    }

    private mutating func condition(_ family: String, isEarly: Bool) -> String {
        var choices: [String] = [
            "tcp dport \(random.pick(Self.ports))", "udp dport != \(random.pick(Self.ports))",
            "th dport @ports", "th dport @ranges", "tcp dport { 22, 80-90 }",
            "tcp sport 1000-40000", "th sport . th dport { 40000 . 80, 40001 . 443 }",
            "meta l4proto { tcp, icmp }", "meta l4proto != udp", "meta length > 60",
            "meta mark \(random.pick([0, 1, 2]))", "meta mark & 0x3 == 0x1",
            "tcp flags & (syn | ack) == syn", "tcp flags syn", "icmp type echo-request",
            "icmpv6 type 128", "meta nfproto ipv4", "meta nfproto ipv6",
            "@th,16,16 \(random.pick(Self.ports))", "@th,0,8 \(random.pick([0, 8, 156]))",
            "meta mark and 0xf0 != 0x10", "th dport & 0x1 == 0x1", "udp length > 8",
        ]
        if family != "ip6" {
            choices += [
                "ip saddr \(random.pick(Self.addresses4))", "ip saddr 10.1.0.0/31",
                "ip daddr != 10.1.0.1", "ip saddr @hosts4", "ip protocol udp", "ip ttl 70-80",
                "ip saddr . meta l4proto . th dport @pairs4", "ip saddr 10.1.0.2-10.2.0.1",
                "ip saddr & 0.0.255.0 == 0.0.0.0", "ip saddr < 10.2.0.0", "ip version 4",
                "ip saddr . ip daddr { 10.1.0.2 . 10.1.0.1, 10.1.0.1 . 10.2.0.1 }",
            ]
        }
        if family != "ip" {
            choices += [
                "ip6 saddr @nets6", "ip6 daddr \(random.pick(Self.addresses6))",
                "ip6 saddr fd00:1::/64", "ip6 nexthdr tcp", "ip6 hoplimit < 78",
                "ip6 saddr fd00:1::2-fd00:2::1",
            ]
        }
        if !isEarly {
            choices += [
                "ct state new", "ct state established,related", "ct mark 0",
                "ct direction original",
                "ct status & 8 == 0", "ct state != invalid",
                "ct original proto-dst \(random.pick(Self.ports))",
            ]
        }
        return random.pick(choices)
    }

    private mutating func action(_ family: String, _ jump: String?, isEarly: Bool) -> String {
        var choices = [
            "accept", "accept", "drop", "drop", "counter", "return", "meta mark set 0x1",
            "meta mark set 0x2", "meta mark set meta mark | 0x10",
            "meta mark set tcp dport map @marks", "meta mark vmap @fates",
            "tcp dport vmap { 22 : drop, 80-443 : accept }",
            "meta l4proto vmap { tcp : accept, udp : drop }", "counter drop",
            "limit rate 1000000/second accept",
        ]
        if let jump {
            choices += ["jump \(jump)", "goto \(jump)", "meta mark vmap { 0x1 : jump \(jump) }"]
        }
        if family != "ip6" {
            choices += [
                "meta mark set ip saddr . meta l4proto . th dport map @shades",
                "meta mark set ip daddr . meta l4proto . th dport map @shades",
            ]
        }
        if isEarly {
            choices += ["notrack"]
        } else {
            choices += [
                "ct mark set th dport map @marks", "ct mark vmap @fates",
                "ct mark set 0x5", "ct mark set meta mark", "ct mark vmap { 0x5 : drop }",
            ]
        }
        return random.pick(choices)
    }
}
