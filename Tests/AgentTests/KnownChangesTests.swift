import Glibc
import Linux
import NetTypes
import Policy
import Testing

@testable import Agent

/// What the kernel tells of links is read again only where it differs from what is known.
@Suite struct KnownChangesTests {
    private static let address = IPAddress.v4(0x0a01_0001)

    private func reading(_ route: inout RouteSocket) throws -> ObservedNamespace {
        ObservedNamespace(
            id: NamespaceID(device: 0, inode: 1), paths: [], pids: [],
            interfaces: try route.interfaces().map(ObservedInterface.init))
    }

    private func changes(_ monitor: borrowing RouteMonitor) throws -> [RouteChange] {
        guard case .changes(let changes) = try monitor.drain() else {
            Issue.record("an overflow")
            return []
        }
        return changes
    }

    @Test func `a tenant that plugs its cable in and out tells the host nothing new`() throws {
        let host = try NetworkNamespace.temporary()
        let tenant = try NetworkNamespace.temporary()
        let monitor = try host.run { () throws(SystemError) in
            try RouteMonitor(followsRoutes: true)
        }
        var near = try RouteSocket(in: host)
        var far = try RouteSocket(in: tenant)
        let empty = try reading(&near)
        try near.addPair("v1", index: 10, far: "eth0", farIndex: 2, in: tenant)
        try near.setUp(index: 10, withoutLinkLocal: true)
        #expect(try !empty.shows(changes(monitor)))
        let known = try reading(&near)
        #expect(known != empty)
        try far.setUp(index: 2)
        // The kernel tells of carriers a moment later (`linkwatch_event` in net/core/link_watch.c).
        var told: [RouteChange] = []
        for _ in 0..<200 where told.isEmpty {
            usleep(10_000)
            told = try changes(monitor)
        }
        #expect(!told.isEmpty)
        #expect(known.shows(told))
        #expect(try reading(&near) == known)
    }

    @Test func `addresses that come and go are news once`() throws {
        let host = try NetworkNamespace.temporary()
        let monitor = try RouteMonitor(in: host)
        var route = try RouteSocket(in: host)
        let without = try reading(&route)
        try route.addAddress(Self.address, prefixLength: 24, index: 1)
        let came = try changes(monitor)
        let with = try reading(&route)
        #expect(!without.shows(came))
        #expect(with.shows(came))
        try route.removeAddress(Self.address, prefixLength: 24, index: 1)
        let went = try changes(monitor)
        #expect(!with.shows(went))
        #expect(without.shows(went))
        // One that comes back is younger, and is read again.
        usleep(30_000)
        try route.addAddress(Self.address, prefixLength: 24, index: 1)
        let back = try changes(monitor)
        #expect(!with.shows(back))
        #expect(try reading(&route).shows(back))
        try route.removeAddress(Self.address, prefixLength: 24, index: 1)
        _ = try changes(monitor)
        // The state that counts is the last one, so all of it has to be known.
        #expect(!with.shows(came + went))
    }
}
