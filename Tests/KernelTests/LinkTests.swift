import Agent
import Linux
import NetTypes
import Reports
import Testing

extension KernelTests {
    /// Who may speak for whose address on a link, with real bridges and neighbour tables.
    @Suite struct LinkTests {
        /// What a namespace that nobody claims says on the bridge.
        private struct Liar {
            let link: LinkSocket
            let own: [UInt8]
            let victim: [UInt8]

            init(_ rig: Rig, to victim: String) async throws {
                link = try LinkSocket(in: "wild", of: rig)
                own = try await rig.hardwareAddress("wild")
                self.victim = try await rig.hardwareAddress(victim)
            }

            func arp(_ operation: UInt8, for address: IPAddress, to target: IPAddress) throws {
                let message: [UInt8] = [0, 1, 8, 0, 6, 4, 0, operation] + own + address.bytes
                try link.send(
                    victim + own + [8, 6] + message + victim + target.bytes
                        + [UInt8](repeating: 0, count: 18))
            }

            /// A message of discovery about a target, or none, with the liar's MAC.
            func discovery(
                _ type: UInt8, from source: IPAddress, to destination: IPAddress, _ rest: [UInt8]
            ) throws {
                let packet = Wire.Packet(
                    source: source, destination: destination, ipProtocol: 58,
                    payload: Wire.message(type, from: source, to: destination, rest),
                    hopLimit: 255)
                try link.send(victim + own + [0x86, 0xdd] + packet.bytes)
            }

            func solicit(_ target: IPAddress, from source: IPAddress) throws {
                try discovery(
                    135, from: source, to: target, [0, 0, 0, 0] + target.bytes + [1, 1] + own)
            }

            func advertise(_ target: IPAddress, from source: IPAddress, to: IPAddress) throws {
                // Solicited, override.
                try discovery(
                    136, from: source, to: to, [0x60, 0, 0, 0] + target.bytes + [2, 1] + own)
            }

            /// A router with a prefix: RFC 4861, 4.2 and 4.6.2.
            func advertiseRouter(from source: IPAddress, to destination: IPAddress) throws {
                let prefix: [UInt8] = [3, 4, 64, 0xc0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0]
                let network = IPAddress.v6(UInt128(0x2001_0db8_0bad) << 80).bytes
                let header: [UInt8] = [64, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]
                try discovery(
                    134, from: source, to: destination, header + prefix + network + [1, 1] + own)
            }
        }

        @Test func `a namespace that nobody claims speaks for itself alone`() async throws {
            try await Rig.with(["a1", "b1", "wild"]) { rig in
                try rig.writeTenants()
                try await rig.withGuards(.only) { agent in
                    let liar = try await Liar(rig, to: "b1")
                    let local = try await rig.linkLocalAddress("wild")
                    for family in AddressFamily.allCases {
                        let (own, victim) = try (
                            rig.address("wild", family), rig.address("b1", family)
                        )
                        let spoken = [try rig.address("a1", family), Rig.host(family)]
                        for address in spoken { try await rig.meet(address, from: "b1") }
                        for address in spoken {
                            switch family {
                            case .v4:
                                for operation in [1, 2] as [UInt8] {
                                    try liar.arp(operation, for: address, to: victim)
                                    try liar.arp(operation, for: address, to: address)
                                }
                            case .v6:
                                try liar.solicit(victim, from: address)
                                for source in [own, local, address] {
                                    try liar.advertise(address, from: source, to: victim)
                                }
                            }
                        }
                        if family == .v6 { try liar.advertiseRouter(from: local, to: victim) }
                        // Nothing overtakes on a link: what came before the truth has been heard.
                        if family == .v4 {
                            try liar.arp(1, for: own, to: victim)
                        } else {
                            try liar.solicit(victim, from: own)
                        }
                        try await wait(for: "the truth about \(own)") {
                            try await rig.neighbour(own, of: "b1") == liar.own
                        }
                        for address in spoken {
                            let believed = try await rig.neighbour(address, of: "b1")
                            #expect(believed != nil && believed != liar.own, "\(address)")
                        }
                    }
                    let routes = try await rig.run(
                        "ip", "-6", "route", "show", "proto", "ra", in: "b1")
                    #expect(routes.output == "")
                    try await agent.expectRefusal(.arp, .ingress, at: "b1")
                    try await agent.expectRefusal(.neighbourDiscovery, .ingress, at: "b1")
                    try await agent.expectRefusal(.router, .ingress, at: "b1")
                }
            }
        }

        /// An endpoint and a namespace that nobody claims ask for the address all the time.
        @Test func `a new address is no duplicate because somebody asks for it`() async throws {
            try await Rig.with(["a1", "b1", "wild"]) { rig in
                try rig.writeTenants()
                try await rig.withGuards(.only) { _ in
                    let address = IPAddress.v6(UInt128(0xfd77) << 112 | 0x77)
                    let group = IPAddress.v6(UInt128(0xff02) << 112 | 0x1_ff00_0077)
                    for setting in ["accept_dad=1", "dad_transmits=1"] {
                        try await rig.run(
                            "sysctl", "-qw", "net.ipv6.conf.eth0.\(setting)", in: "b1")
                    }
                    var askers: [(LinkSocket, [UInt8])] = []
                    for name in ["a1", "wild"] {
                        let probe = Wire.Packet(
                            source: .v6(0), destination: group, ipProtocol: 58,
                            payload: Wire.message(
                                135, from: .v6(0), to: group, [0, 0, 0, 0] + address.bytes),
                            hopLimit: 255)
                        let mac = try await rig.hardwareAddress(name)
                        let frame =
                            [0x33, 0x33, 0xff, 0, 0, 0x77] + mac + [0x86, 0xdd] + probe.bytes
                        askers.append((try LinkSocket(in: name, of: rig), frame))
                    }
                    try await rig.run(
                        "ip", "address", "add", "\(address)/64", "dev", "eth0", in: "b1")
                    var shown = ""
                    try await wait(for: "the end of the look for duplicates") {
                        for (link, frame) in askers { try link.send(frame) }
                        shown =
                            try await rig.run("ip", "-6", "address", "show", "eth0", in: "b1")
                            .output.split(separator: "\n")
                            .first { $0.contains("\(address)/64") }.map(String.init) ?? ""
                        return shown.contains("dadfailed") || !shown.contains("tentative")
                    }
                    #expect(shown.contains("\(address)/64") && !shown.contains("dadfailed"))
                }
            }
        }
    }
}

extension Rig {
    /// The MAC at which a namespace believes that an address is.
    fileprivate func neighbour(_ address: IPAddress, of name: String) async throws -> [UInt8]? {
        let words = try await run("ip", "neigh", "show", "to", "\(address)", in: name)
            .output.split(whereSeparator: \.isWhitespace)
        guard let index = words.firstIndex(of: "lladdr"), index + 1 < words.endIndex else {
            return nil
        }
        return words[index + 1].split(separator: ":").compactMap { UInt8($0, radix: 16) }
    }

    /// Has a namespace look for the MAC of an address; nothing else has to get there.
    fileprivate func meet(_ address: IPAddress, from name: String) async throws {
        try await wait(for: "\(name) to know where \(address) is") {
            try await run("ping", "-c1", "-W1", "\(address)", in: name)
            return try await neighbour(address, of: name) != nil
        }
    }

    fileprivate func linkLocalAddress(_ name: String) async throws -> IPAddress {
        let words = try await run(
            "ip", "-6", "-o", "address", "show", "dev", "eth0", "scope", "link", in: name
        )
        .output.split(whereSeparator: \.isWhitespace)
        let text = words.first { $0.hasPrefix("fe80") }?.split(separator: "/").first ?? ""
        return try #require(IPAddress(String(text)))
    }
}
