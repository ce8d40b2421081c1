import Agent
import Lab
import NetTypes
import Reports
import Testing

extension KernelTests {
    /// Who sends stays who it is, whatever addresses the host puts on its packets.
    @Suite struct TranslationTests {
        struct Case: Sendable, CustomTestStringConvertible {
            let fabric: LabTopology.Fabric
            /// What happens to the caller's address behind a service's; nil leaves it.
            let source: String?
            let family: AddressFamily

            var testDescription: String {
                "\(fabric) \(family.rawValue) \(source ?? "as it was")"
            }

            /// Over a bridge the answers find back to the host only if it has called itself.
            static let all: [Case] = AddressFamily.allCases.flatMap { family in
                [
                    Case(fabric: .routed, source: nil, family: family),
                    Case(fabric: .routed, source: "masquerade", family: family),
                    Case(fabric: .routed, source: "snat", family: family),
                    Case(fabric: .bridged, source: "masquerade", family: family),
                    Case(fabric: .bridged, source: "snat", family: family),
                ]
            }

            /// Nobody's address.
            var service: IPAddress {
                family == .v4 ? .v4(0xc000_020a) : .v6(UInt128(0xfd99) << 112 | 10)
            }

            /// Nobody's either.
            var translated: IPAddress { Rig.host(family) }
        }

        /// `a` may call `b`, and `c` may not; both call the same service behind which `b` is.
        @Test(arguments: Case.all)
        func `identity holds through translation`(_ item: Case) async throws {
            try await Rig.with(["a1", "b1", "c1"], fabric: item.fabric) { rig in
                try rig.writeTenants(of: item.service)
                try await rig.translate(item)
                try await rig.withAgent(
                    {
                        $0.hostFilter = .only
                        $0.bpfFileSystem = rig.bpf
                    }
                ) { agent in
                    try await Transfer.with(
                        item.family, port: 5000, through: item.service, in: rig
                    ) { transfer in
                        try await transfer.goOn()
                        // It gives up after one more try: by default it would go on for two minutes.
                        try await rig.run(
                            "sysctl", "-qw", "net.ipv4.tcp_syn_retries=1", in: "c1")
                        let call = try await rig.run(
                            "bash", "-c", "exec 3<>/dev/tcp/\(item.service)/5000", in: "c1")
                        #expect(call.status != 0)
                        try await expectRefusal(of: "c", agent)
                        try await transfer.goOn()
                    }
                    // The host's own messages about better ways are refused too: no calls.
                    let calls = await agent.violations().filter {
                        $0.direction == .ingress && $0.destination.tenant == "b"
                            && $0.ipProtocol == .tcp
                    }
                    #expect(Set(calls.map(\.source.tenant)) == ["c"])
                }
            }
        }

        private func expectRefusal(of tenant: String, _ agent: RunningAgent) async throws {
            try await wait(for: "the violation") {
                for violation in await agent.violations() {
                    guard violation.direction == .ingress, violation.layer == .hostFilter,
                        violation.reason == .noRule
                    else { continue }
                    let (source, destination) = (violation.source, violation.destination)
                    if source.tenant == tenant, destination.tenant == "b" { return true }
                }
                return false
            }
        }
    }
}

extension Rig {
    fileprivate func writeTenants(of service: IPAddress) throws {
        try write(
            PolicyText.documents(
                PolicyText.tenant("a"), PolicyText.tenant("b"), PolicyText.tenant("c")),
            to: "tenants.yaml")
        try write(
            PolicyText.documents(
                PolicyText.policy(PolicyText.tcp("5000")),
                PolicyText.policy(
                    PolicyText.tcp("5000"), name: "service", from: "{tenant: a}, {tenant: c}",
                    to: "{cidr: \"\(service)\"}")), to: "a.yaml")
    }

    /// Puts `b1` behind the service, and the host's address on whoever calls, if told.
    fileprivate func translate(_ item: KernelTests.TranslationTests.Case) async throws {
        let (table, option) = item.family == .v4 ? ("ip", "-4") : ("ip6", "-6")
        let callee = try address("b1", item.family)
        var rules = "add table \(table) nat; add chain \(table) nat pre "
        rules += "{ type nat hook prerouting priority -100; }; add chain \(table) nat post "
        rules += "{ type nat hook postrouting priority 100; }; add rule \(table) nat pre "
        rules += "\(table) daddr \(item.service) dnat to \(callee); "
        if let source = item.source {
            let target = source == "snat" ? " to \(item.translated)" : ""
            rules += "add rule \(table) nat post \(table) daddr \(callee) \(source)\(target)"
        }
        let made = try await nft(rules, in: "host")
        try #require(made.status == 0, "\(made.output)")
        guard item.fabric == .bridged else { return }
        for setting in [
            "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1",
            "net.ipv4.conf.all.send_redirects=0",
        ] {
            try await run("sysctl", "-qw", setting, in: "host")
        }
        for name in ["a1", "c1"] {
            let added = try await run(
                "ip", option, "route", "add", "\(item.service)", "via",
                "\(Rig.host(item.family))", in: name)
            try #require(added.status == 0, "\(added.output)")
        }
    }
}
