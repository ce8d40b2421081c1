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
                news.formUnion(try Self.changes(monitor).subtracting(told))
                return !news.isEmpty
            }
            #expect(news == expected, "\(command)")
            told.formUnion(expected)
            #expect(try Self.changes(monitor).isSubset(of: told))
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
                case .noLink, .unclear: Issue.record("\(command): \(change)")
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
