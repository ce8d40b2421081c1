import Linux
import NetTypes
import Nftables
import Policy
import Reports
import Rules
import Testing

extension KernelTests {
    /// Who did it, which way, and what would allow it: a packet of each kind, and no other row.
    @Suite struct AttributionTests {
        /// A packet, and the row that it makes.
        struct Case: Sendable {
            let name: String
            let sender: String
            let source: IPAddress
            let destination: IPAddress
            let ipProtocol: UInt8
            let payload: [UInt8]
            /// `FROM > TO SERVICE direction reason`; nil makes none.
            let row: String?
            /// What the fix says; nil where rules have nothing to do with it.
            var fix: String?
        }

        private static func policies(_ group: IPAddress) -> String {
            PolicyText.documents(
                PolicyText.policy(PolicyText.udp("7000, 7100")),
                PolicyText.policy(
                    PolicyText.udp("7200"), name: "a-to-group", to: "{cidr: \"\(group)\"}"))
        }

        @Test(arguments: AddressFamily.allCases)
        func `each packet is reported as what it is`(_ family: AddressFamily) async throws {
            try await Rig.with(["a1", "b1", "wild"]) { rig in
                let group: IPAddress =
                    family == .v4
                    ? .v4(0x0a4d_ffff) : .v6(UInt128(0xff02) << 112 | 1)
                try rig.writeTenants()
                try rig.write(Self.policies(group), to: "a.yaml")
                try await rig.withAgent { agent in
                    try await prepare(family, rig)
                    let cases = try cases(family, group, rig)
                    for test in cases {
                        let sender = try RawSocket.sender(family, in: test.sender, of: rig)
                        // One flow is one row, whatever its packets' checksums are.
                        for _ in 0..<2 { sender.send(packet(test)) }
                    }
                    try await expect(cases, agent)
                }
            }
        }

        private func packet(_ test: Case) -> Wire.Packet {
            Wire.Packet(
                source: test.source, destination: test.destination, ipProtocol: test.ipProtocol,
                payload: test.payload)
        }

        private func expect(_ cases: [Case], _ agent: RunningAgent) async throws {
            let wanted = Set(cases.compactMap(\.row))
            do {
                try await wait(for: "all rows") {
                    Set(await agent.violations().map(Self.row)).isSuperset(of: wanted)
                }
            } catch is NotInTime {
                let missing = wanted.subtracting(await agent.violations().map(Self.row))
                Issue.record("missing: \(missing.sorted())")
            }
            let found = await agent.violations()
            #expect(Set(found.map(Self.row)).subtracting(wanted) == [])
            #expect(found.count == Set(found.map(Self.row)).count, "a flow has several rows")
            for violation in found {
                let row = Self.row(violation)
                #expect(violation.packets == 2, "\(row)")
                let fix = cases.first { $0.row == row }?.fix
                let said = violation.closest?.fix
                #expect((said == nil) == (fix == nil), "\(row): \(said ?? "no fix")")
                if let fix, let said { #expect(said.contains(fix), "\(row): \(said)") }
            }
        }

        private static func row(_ violation: Violation) -> String {
            "\(violation.source.text) > \(violation.destination.text) \(violation.service) "
                + "\(violation.direction) \(violation.reason)"
        }

        /// `b1` has a way on and would forward, and takes its own address from outside.
        private func prepare(_ family: AddressFamily, _ rig: Rig) async throws {
            let keys =
                family == .v4
                ? [
                    "ipv4.ip_forward=1", "ipv4.conf.all.accept_local=1",
                    "ipv4.conf.eth0.accept_local=1", "ipv4.conf.all.rp_filter=0",
                    "ipv4.conf.eth0.rp_filter=0",
                    // Else it tells the sender of a better way, and is refused that as well.
                    "ipv4.conf.all.send_redirects=0", "ipv4.conf.eth0.send_redirects=0",
                ] : ["ipv6.conf.all.forwarding=1"]
            for key in keys { try await rig.run("sysctl", "-qw", "net.\(key)", in: "b1") }
            let network = family == .v4 ? "198.51.100.0/24" : "2001:db8::/64"
            let b1 = try rig.address("b1", family).description
            try await rig.run("ip", "route", "add", network, "via", b1, in: "wild")
            try await rig.run("ip", "route", "add", network, "dev", "eth0", in: "b1")
        }

        private func cases(
            _ family: AddressFamily, _ group: IPAddress, _ rig: Rig
        ) throws -> [Case] {
            let (a1, b1, wild) = (
                try rig.address("a1", family), try rig.address("b1", family),
                try rig.address("wild", family)
            )
            let host = Rig.host(family)
            let unknown = Rig.address(0x4d4d, family)
            let beyond = try #require(
                IPAddress(family == .v4 ? "198.51.100.9" : "2001:db8::9"))
            let (icmp, request, answer): (UInt8, UInt8, UInt8) =
                family == .v4 ? (1, 8, 0) : (58, 128, 129)
            let ping = family == .v4 ? "icmp" : "icmpv6"
            func udp(
                _ name: String, from sender: String, _ source: IPAddress, _ own: UInt16,
                to destination: IPAddress, _ port: UInt16, _ row: String?, fix: String? = nil
            ) -> Case {
                Case(
                    name: name, sender: sender, source: source, destination: destination,
                    ipProtocol: 17,
                    payload: Wire.udp(
                        from: SocketAddress(source, port: own),
                        to: SocketAddress(destination, port: port), [1]), row: row, fix: fix)
            }
            func message(
                _ name: String, from sender: String, _ source: IPAddress, _ type: UInt8,
                to destination: IPAddress, _ row: String
            ) -> Case {
                Case(
                    name: name, sender: sender, source: source, destination: destination,
                    ipProtocol: icmp,
                    payload: Wire.message(
                        type, from: source, to: destination,
                        [0, 1, 0, UInt8.random(in: 1...255)]),
                    row: row)
            }
            return [
                udp(
                    "no rule, sent", from: "a1", a1, 30_000, to: b1, 7001,
                    "a/a1 \(a1) > b/b1 \(b1) udp 7001 egress noRule",
                    fix: "add port 7001 to the rule"),
                udp(
                    "no rule, an ephemeral port", from: "a1", a1, 30_000, to: b1, 40_001,
                    "a/a1 \(a1) > b/b1 \(b1) udp 40001 egress noRule",
                    fix: "open no ephemeral port"),
                udp(
                    "the other way", from: "b1", b1, 30_000, to: a1, 7000,
                    "b/b1 \(b1) > a/a1 \(a1) udp 7000 egress noRule",
                    fix: "let a call b: the answers to its calls pass by themselves"),
                udp(
                    "an answer without its call", from: "b1", b1, 7000, to: a1, 40_002,
                    "b/b1 \(b1) > a/a1 \(a1) udp 40002 egress noRule", fix: "no rule is missing"),
                udp(
                    "to the host", from: "a1", a1, 30_000, to: host, 22,
                    "a/a1 \(a1) > host \(host) udp 22 egress noRule", fix: "to: [host]"),
                udp(
                    "from the host", from: "host", host, 30_000, to: b1, 7000,
                    "host \(host) > b/b1 \(b1) udp 7000 ingress noRule", fix: "from: [host]"),
                udp(
                    "from a namespace without a tenant", from: "wild", wild, 30_000, to: b1, 7000,
                    "wild (unclaimed) \(wild) > b/b1 \(b1) udp 7000 ingress noRule",
                    fix: "claim the namespace of \(wild)"),
                // It goes out by a rule; the sender's own copy is no news.
                udp(
                    "to a group", from: "a1", a1, 30_000, to: group, 7200,
                    "a/a1 \(a1) > b/b1 \(group) udp 7200 ingress noRule",
                    fix: "add port 7200 to the rule"),
                message(
                    "a foreign source", from: "a1", unknown, request, to: b1,
                    "a/a1 \(unknown) > b/b1 \(b1) \(ping) \(request)/0 egress spoofed"),
                message(
                    "the host's source", from: "a1", host, request, to: b1,
                    "a/a1 \(host) > b/b1 \(b1) \(ping) \(request)/0 egress spoofed"),
                message(
                    "the own address from outside", from: "wild", b1, request, to: b1,
                    "\(b1) > b/b1 \(b1) \(ping) \(request)/0 ingress spoofed"),
                message(
                    "no flow, sent", from: "a1", a1, answer, to: b1,
                    "a/a1 \(a1) > b/b1 \(b1) \(ping) \(answer)/0 egress invalid"),
                message(
                    "no flow, received", from: "wild", wild, answer, to: b1,
                    "wild (unclaimed) \(wild) > b/b1 \(b1) \(ping) \(answer)/0 ingress invalid"),
                message(
                    "to be passed on", from: "wild", wild, request, to: beyond,
                    "wild (unclaimed) \(wild) > b/b1 \(beyond) \(ping) \(request)/0 "
                        + "ingress forwarded"),
            ]
        }

        /// From a new address the kernel itself solicits and reports before any agent can know the address.
        @Test func `what the kernel sends from a new address is not reported`() async throws {
            try await Rig.with(["a1"]) { rig in
                let socket = try rig.namespace("a1").run { () throws(SystemError) in
                    try NetfilterSocket()
                }
                let table = EndpointTable(socket)
                _ = try table.apply(EndpointState().changes(from: nil), presence: .absent)
                for state in ["down", "up"] {
                    try await rig.run("ip", "link", "set", "eth0", state, in: "a1")
                }
                try await wait(for: "reports from the new address") {
                    let chain = try await rig.nft(
                        "list", "chain", "inet", "ringfence", "no_address", in: "a1")
                    return chain.output.split(separator: "\n").contains {
                        $0.contains("mld2-listener-report counter")
                            && !$0.contains("packets 0 ")
                    }
                }
                #expect(try table.refusals().totals[.spoofed]?.packets == 0)
                // What a program sends in the same form is an attempt.
                let source = IPAddress.v6(UInt128(0xfe80) << 112 | 0xbad)
                let routers = IPAddress.v6(UInt128(0xff02) << 112 | 0x16)
                let sender = try RawSocket.sender(.v6, in: "a1", of: rig)
                sender.send(
                    Wire.Packet(
                        source: source, destination: routers, ipProtocol: 58,
                        payload: Wire.message(143, from: source, to: routers, [0, 0, 0, 0]),
                        hopLimit: 1))
                let flows = try table.refusals().refused.keys.map { $0 }
                #expect(flows.map(\.source) == [source] && flows.map(\.reason) == [.spoofed])
                #expect(flows.map(\.destinationPort) == [143 << 8])
            }
        }

        /// An address that changes hands takes no record along.
        @Test func `each owner of an address answers for its own packets`() async throws {
            try await Rig.with(["a1", "b1", "c1"]) { rig in
                try rig.write(
                    PolicyText.documents(
                        PolicyText.tenant("a"), PolicyText.tenant("b"), PolicyText.tenant("c")),
                    to: "tenants.yaml")
                try await rig.withAgent { agent in
                    let shared = Rig.address(77, .v4)
                    for (index, name) in ["a1", "b1"].enumerated() {
                        let routes = try rig.routes(of: name)
                        try await agent.change { try routes.add(shared, 16) }
                        try await rig.run("ip", "neigh", "flush", "all", in: "host")
                        let sender = try RawSocket.sender(.v4, in: "host", of: rig)
                        let host = Rig.host(.v4)
                        for _ in 0...index {
                            sender.send(
                                Wire.Packet(
                                    source: host, destination: shared, ipProtocol: 17,
                                    payload: Wire.udp(
                                        from: SocketAddress(host, port: 30_000),
                                        to: SocketAddress(shared, port: 7), [1])))
                        }
                        try await agent.expectRefusal(.noRule, .ingress, at: name)
                        try await agent.change { try routes.remove(shared, 16) }
                    }
                    let found = await agent.violations()
                    #expect(Set(found.map(\.destination.endpoint)) == ["a1", "b1"])
                }
            }
        }

        /// The same for who sent: the table that refuses is another one's, and its set keeps the flow.
        @Test func `a caller does not answer for who had its address before`() async throws {
            try await Rig.with(["a1", "b1", "c1"]) { rig in
                let address = Rig.address(77, .v4)
                try rig.write(
                    PolicyText.documents(
                        PolicyText.tenant("a"), PolicyText.tenant("b"), PolicyText.tenant("c"),
                        PolicyText.policy(
                            PolicyText.udp("7000"), name: "out", from: "{tenant: a}, {tenant: b}",
                            to: "{cidr: \(try rig.address("c1", .v4))}")),
                    to: "tenants.yaml")
                try await rig.withAgent { agent in
                    let target = try rig.address("c1", .v4)
                    for (name, packets) in [("a1", 3), ("b1", 5)] {
                        let routes = try rig.routes(of: name)
                        try await agent.change { try routes.add(address, 16) }
                        let sender = try RawSocket.sender(.v4, in: name, of: rig)
                        for _ in 0..<packets {
                            sender.send(
                                Wire.Packet(
                                    source: address, destination: target, ipProtocol: 17,
                                    payload: Wire.udp(
                                        from: SocketAddress(address, port: 30_000),
                                        to: SocketAddress(target, port: 7000), [1])))
                        }
                        try await wait(for: "the packets at c1") {
                            try rig.reading(of: "c1")?.counts.totals[.refused]?.packets
                                == (name == "a1" ? 3 : 8)
                        }
                        // Nothing is asked of the agent before the address has gone.
                        try await agent.change { try routes.remove(address, 16) }
                    }
                    let found = await agent.violations().filter { $0.direction == .ingress }
                    let counts = Dictionary(
                        found.map { ($0.source.endpoint ?? "", $0.packets) },
                        uniquingKeysWith: { $0 + $1 })
                    #expect(counts == ["a1": 3, "b1": 5])
                }
            }
        }
    }
}
