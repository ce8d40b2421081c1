import Foundation
import Linux
import NetTypes
import Testing

@Suite struct RouteSocketTests {
    @Test func `reads links, peers, bridges and addresses of both families`() throws {
        let scratch = try Scratch()
        let one = try scratch.namespace("A")
        let two = try scratch.namespace("B")
        let build = """
            ip -n A link add br0 type bridge && ip -n A link add eth0 type veth peer name far netns B \
            && ip -n A link set eth0 master br0 up && ip -n A addr add 10.1.0.1/24 dev br0 \
            && ip -n A addr add 10.9.0.1 peer 10.9.0.2 dev br0 \
            && ip -n A -6 addr add fd01::1/64 dev br0
            """
        #expect(try scratch.ip(build))
        var socket = try RouteSocket(in: one)
        let interfaces = try socket.interfaces()
        let named = Dictionary(uniqueKeysWithValues: interfaces.map { ($0.link.name, $0) })
        let veth = try #require(named["eth0"])
        let bridge = try #require(named["br0"])
        #expect(veth.link.kind == "veth")
        #expect(veth.link.isUp)
        #expect(veth.link.hardwareAddress.count == 6)
        #expect(veth.link.controllerIndex == bridge.link.index)
        #expect(bridge.link.kind == "bridge")
        #expect(!bridge.link.isUp)
        #expect(named["lo"]?.link.kind == nil)
        let addresses = bridge.addresses.map(\.address)
        #expect(addresses.contains(.v4(0x0a01_0001)))
        #expect(addresses.contains(.v4(0x0a09_0001)))
        #expect(!addresses.contains(.v4(0x0a09_0002)))
        #expect(addresses.contains(try #require(IPAddress("fd01::1"))))

        var other = try RouteSocket(in: two)
        let far = try #require(other.links().first { $0.name == "far" })
        #expect(veth.link.peerIndex == far.index)
        #expect(far.peerIndex == veth.link.index)
        #expect(veth.link.peerNamespace != nil)
        #expect(try socket.number(of: two) == veth.link.peerNamespace)
    }

    @Test func `reads a thousand addresses while they change`() throws {
        let scratch = try Scratch()
        let one = try scratch.namespace("A")
        let batch = (0..<1_000).map { "addr add 10.2.\($0 / 250).\($0 % 250 + 1)/16 dev lo" }
        try scratch.write(batch.joined(separator: "\n"), to: "batch")
        #expect(try scratch.ip("ip -n A -batch \(scratch.file("batch"))"))
        var socket = try RouteSocket(in: one)
        #expect(try socket.addresses().count == 1_000)
        #expect(try socket.addresses().count == 1_000)
    }

    @Test func `news come with links and addresses, and with nothing else`() throws {
        let scratch = try Scratch()
        let one = try scratch.namespace("A")
        let monitor = try RouteMonitor(in: one)
        #expect(try monitor.drain() == .changes([]))
        let v4 = InterfaceAddress(
            linkIndex: 1, address: try #require(IPAddress("10.1.1.1")), prefixLength: 32)
        let v6 = InterfaceAddress(
            linkIndex: 1, address: try #require(IPAddress("fd01::1")), prefixLength: 128)
        // An IPv6 address may be told of twice, the second time whenever the kernel likes.
        var told: Set<RouteChange> = []
        for (command, expected) in [
            ("ip -n A addr add 10.1.1.1/32 dev lo", Set([RouteChange.address(v4)])),
            ("ip -n A -6 addr add fd01::1/128 dev lo", [.address(v6)]),
            ("ip -n A addr del 10.1.1.1/32 dev lo", [.noAddress(v4)]),
        ] {
            #expect(try scratch.ip(command))
            var news: Set<RouteChange> = []
            _ = try eventually {
                news.formUnion(try Set(Self.changes(monitor).map(\.undated)).subtracting(told))
                return !news.isEmpty
            }
            #expect(news == expected, "\(command)")
            told.formUnion(expected)
            #expect(try Set(Self.changes(monitor).map(\.undated)).isSubset(of: told))
        }
    }

    private static func changes(_ monitor: borrowing RouteMonitor) throws -> Set<RouteChange> {
        guard case .changes(let changes) = try monitor.drain() else {
            Issue.record("an overflow")
            return []
        }
        return Set(changes)
    }

    @Test func `news of a link say what a reading of it says, and bridges say nothing`() throws {
        let scratch = try Scratch()
        let one = try scratch.namespace("A")
        _ = try scratch.namespace("B")
        var socket = try RouteSocket(in: one)
        let monitor = try RouteMonitor(in: one)
        var told: [Int32: Link] = [:]
        for command in [
            "ip -n A link add br0 type bridge", "ip -n A link set br0 up",
            "ip -n A link add eth0 type veth peer name far netns B",
            "ip -n A link set eth0 master br0 up", "ip -n A link set eth0 nomaster",
            "ip -n A link set eth0 address 02:00:00:00:00:07",
        ] {
            #expect(try scratch.ip(command))
            guard case .changes(let changes) = try monitor.drain() else {
                Issue.record("\(command): an overflow")
                continue
            }
            for change in changes {
                switch change {
                case .link(let link): told[link.index] = link
                case .address, .noAddress: break
                case .noLink, .unclear, .route: Issue.record("\(command): \(change)")
                }
            }
            let found = try socket.links().filter { $0.name != "lo" }
            #expect(Set(told.values) == Set(found), "\(command)")
        }
        let index = try #require(told.values.first { $0.name == "eth0" }).index
        #expect(try scratch.ip("ip -n A link del eth0"))
        guard case .changes(let last) = try monitor.drain() else {
            Issue.record("an overflow")
            return
        }
        #expect(last.contains(.noLink(index)))
    }

    @Test func `reads routes of both families, and is told of them`() throws {
        let scratch = try Scratch()
        let one = try scratch.namespace("A")
        var socket = try RouteSocket(in: one)
        let monitor = try one.run { () throws(SystemError) in
            try RouteMonitor(followsRoutes: true)
        }
        for command in [
            "ip -n A link add d0 type veth peer name d1", "ip -n A link set d1 up",
            "ip -n A link set d0 up", "ip -n A addr add 10.1.0.1/24 dev d0",
            "ip -n A -6 addr add fd01::1/64 dev d0",
        ] {
            #expect(try scratch.ip(command), "\(command)")
        }
        let index = try #require(socket.links().first { $0.name == "d0" }).index
        _ = try monitor.drain()
        for command in [
            "ip -n A route add 192.0.2.0/24 via 10.1.0.9 metric 7",
            "ip -n A route add 198.51.100.0/24 nexthop via 10.1.0.8 nexthop dev d0",
            "ip -n A -6 route add default via fd01::9", "ip -n A route add blackhole 10.9.0.0/16",
            "ip -n A route add 10.8.0.0/16 dev d0 table 300",
            "ip -n A route add 10.7.0.0/16 via inet6 fd01::7 dev d0",
        ] {
            #expect(try scratch.ip(command), "\(command)")
            guard case .changes(let changes) = try monitor.drain() else {
                Issue.record("\(command): an overflow")
                continue
            }
            #expect(
                changes.contains { if case .route = $0 { true } else { false } }, "\(command)")
        }
        let found = try socket.routes().sorted { "\($0.destination)" < "\($1.destination)" }
            .map { route in
                let hops = route.hops.map { hop in
                    #expect(hop.link == index)
                    return hop.gateway?.description ?? "link"
                }
                return "\(route.destination) \(route.table) \(route.metric) "
                    + hops.joined(separator: ",")
            }
        // No route of the host's own addresses, of groups or of link-local networks.
        #expect(
            found == [
                "10.1.0.0/24 254 0 link", "10.7.0.0/16 254 0 fd01::7", "10.8.0.0/16 300 0 link",
                "10.9.0.0/16 254 0 ", "192.0.2.0/24 254 7 10.1.0.9",
                "198.51.100.0/24 254 0 10.1.0.8,link", "::/0 254 1024 fd01::9",
                "fd01::/64 254 256 link",
            ])
    }

    @Test func `an address is as old as its latest configuration`() throws {
        let scratch = try Scratch()
        let one = try scratch.namespace("A")
        var socket = try RouteSocket(in: one)
        func created(_ text: String) throws -> UInt64 {
            let address = try #require(IPAddress(text))
            return try #require(socket.addresses().first { $0.address == address }).created
        }
        #expect(try scratch.ip("ip -n A addr add 10.1.0.1/24 dev lo"))
        #expect(try scratch.ip("ip -n A addr add fd01::1/64 dev lo"))
        let (first, second) = (try created("10.1.0.1"), try created("fd01::1"))
        #expect(first > 0)
        #expect(second >= first)
        usleep(30_000)
        // Another lifetime makes it no younger, and no older.
        #expect(
            try scratch.ip(
                "ip -n A addr change 10.1.0.1/24 dev lo valid_lft 600 preferred_lft 600"))
        #expect(try scratch.ip("ip -n A addr del fd01::1/64 dev lo"))
        #expect(try scratch.ip("ip -n A addr add fd01::1/64 dev lo"))
        #expect(try created("10.1.0.1") == first)
        #expect(try created("fd01::1") > second)
    }

    @Test func `reads what bridges and neighbour tables know`() throws {
        let scratch = try Scratch()
        let one = try scratch.namespace("A")
        _ = try scratch.namespace("B")
        let entered = "nsenter --net=\(scratch.file("A"))"
        for command in [
            "ip -n A link add br0 type bridge", "ip -n A link set br0 up",
            "ip -n A link add eth0 type veth peer name far netns B",
            "ip -n A link set eth0 master br0 up", "ip -n A addr add 10.1.0.1/24 dev br0",
            "\(entered) /sbin/bridge fdb add 02:00:00:00:00:77 dev eth0 master static",
            "ip -n A neigh add 10.1.0.7 lladdr 02:00:00:00:00:07 dev br0",
        ] {
            #expect(try scratch.ip(command), "\(command)")
        }
        var socket = try RouteSocket(in: one)
        let links = Dictionary(
            uniqueKeysWithValues: try socket.links().map { ($0.name, $0.index) })
        let known = try socket.neighbours()
        let port = try #require(known.first { $0.hardwareAddress == [2, 0, 0, 0, 0, 0x77] })
        #expect(port.link == links["eth0"])
        #expect(port.bridge == links["br0"])
        #expect(port.address == nil)
        let neighbour = try #require(known.first { $0.hardwareAddress == [2, 0, 0, 0, 0, 7] })
        #expect(neighbour.link == links["br0"])
        #expect(neighbour.bridge == nil)
        #expect(neighbour.address == .v4(0x0a01_0007))
    }

    @Test func `takes no more news at once than are worth the time`() throws {
        let scratch = try Scratch()
        let one = try scratch.namespace("A")
        let monitor = try RouteMonitor(in: one, capacity: 32 << 20)
        let batch = (0..<3_000).map { "addr add 10.2.\($0 / 250).\($0 % 250 + 1)/16 dev lo" }
        try scratch.write(batch.joined(separator: "\n"), to: "batch")
        #expect(try scratch.ip("ip -n A -batch \(scratch.file("batch"))"))
        var counts: [Int] = []
        while case .changes(let changes) = try monitor.drain(), !changes.isEmpty {
            counts.append(changes.count)
        }
        #expect(counts == [2_048, 952])
    }

    @Test func `tells that news were lost`() throws {
        let scratch = try Scratch()
        let one = try scratch.namespace("A")
        let monitor = try RouteMonitor(in: one, capacity: 2_048)
        let batch = (0..<200).map { "addr add 10.2.0.\($0 + 1)/16 dev lo" }
        try scratch.write(batch.joined(separator: "\n"), to: "batch")
        #expect(try scratch.ip("ip -n A -batch \(scratch.file("batch"))"))
        #expect(try monitor.drain() == .overflowed)
        #expect(try monitor.drain() == .changes([]))
    }
}

extension RouteChange {
    /// Without the moment at which an address was configured.
    fileprivate var undated: RouteChange {
        func undated(_ address: InterfaceAddress) -> InterfaceAddress {
            InterfaceAddress(
                linkIndex: address.linkIndex, address: address.address,
                prefixLength: address.prefixLength)
        }
        return switch self {
        case .address(let address): .address(undated(address))
        case .noAddress(let address): .noAddress(undated(address))
        default: self
        }
    }
}

extension Scratch {
    func namespace(_ name: String) throws -> NetworkNamespace {
        let namespace = try NetworkNamespace.temporary()
        try namespace.mount(at: file(name))
        return namespace
    }

    /// Runs `ip` commands in which `A` and `B` stand for the two namespaces.
    func ip(_ command: String) throws -> Bool {
        let command =
            command
            .replacingOccurrences(of: "ip -n A", with: "nsenter --net=\(file("A")) ip")
            .replacingOccurrences(of: "netns B", with: "netns \(file("B"))")
        return try shell(command)
    }
}
