import HostFilter
import NetTypes
import Testing

/// IGMP at the host end of a veth: reports of one form within a rate, queries within a rate.
@Suite(.serialized) struct MembershipTests {
    private static let group = IPAddress.v4(0xef01_0203)
    private static let allSystems = IPAddress.v4(0xe000_0001)
    private static let allRouters = IPAddress.v4(0xe000_0002)
    private static let reportRouters = IPAddress.v4(0xe000_0016)
    private static let nowhere = IPAddress.v4(0)

    /// The router alert option: RFC 2113, 2.1.
    private static let alert: [UInt8] = [0x94, 4, 0, 0]

    /// A packet of IGMP: RFC 1112, RFC 2236, RFC 3376.
    private func frame(
        _ direction: Direction, _ type: UInt8, _ rest: [UInt8], code: UInt8 = 0,
        from source: IPAddress? = nil, to destination: IPAddress, hops: UInt8 = 1,
        options: [UInt8] = alert, fragment: UInt16 = 0
    ) -> [UInt8] {
        var frame = Frame.ip(
            direction, .v4, 2, [type, code, 0, 0] + rest, from: source, to: destination,
            hops: hops, fragment: fragment, options: options.count / 4)
        frame.replaceSubrange(34..<34 + options.count, with: options)
        return frame
    }

    /// A version 3 report that says it has so many groups, and has so many.
    private func report(_ claimed: UInt16, _ present: Int, to: IPAddress = reportRouters) -> [UInt8]
    {
        let record = [4, 0, 0, 0] + Self.group.bytes
        let records = (0..<present).flatMap { _ in record }
        return frame(.egress, 0x22, [0, 0] + claimed.bytes + records, to: to)
    }

    @Test func `reports and leaves of all versions`() throws {
        let bench = try TestBench()
        let group = Self.group.bytes
        for frame in [
            frame(.egress, 0x12, group, to: Self.group),
            frame(.egress, 0x12, group, to: Self.group, options: []),
            frame(.egress, 0x16, group, to: Self.group),
            frame(.egress, 0x17, group, to: Self.allRouters), report(1, 1), report(3, 3),
            frame(.egress, 0x22, [0, 0, 0, 0], from: Self.nowhere, to: Self.reportRouters),
        ] { #expect(try bench.refusal(of: frame, .egress) == nil) }
    }

    private var wrongReports: [(frame: [UInt8], what: String)] {
        let group = Self.group.bytes
        return [
            (frame(.egress, 0x16, group, to: Self.group, options: []), "no router alert"),
            (frame(.egress, 0x16, group, to: Self.group, options: [1, 1, 1, 1]), "an option"),
            (
                frame(.egress, 0x16, group, to: Self.group, options: Self.alert + [0, 0, 0, 0]),
                "two"
            ),
            (frame(.egress, 0x16, group, to: Self.allRouters), "another group's"),
            (frame(.egress, 0x16, Frame.peers[0].bytes, to: Self.group), "no group"),
            (frame(.egress, 0x16, group + [0], to: Self.group), "a byte behind"),
            (frame(.egress, 0x16, group, code: 1, to: Self.group), "a code"),
            (frame(.egress, 0x16, group, to: Self.group, fragment: 0x2000), "a fragment"),
            (frame(.egress, 0x16, group, from: Self.nowhere, to: Self.group), "no source"),
            (frame(.egress, 0x12, group, from: Self.nowhere, to: Self.group), "no source"),
            (frame(.egress, 0x17, group, to: Self.group), "a leave to the group"),
            (frame(.egress, 0x17, Frame.peers[0].bytes, to: Self.allRouters), "leaves no group"),
            (report(2, 1), "fewer groups than it says"), (report(1, 1, to: Self.group), "a target"),
        ]
    }

    @Test func `reports of another form are refused`() throws {
        let bench = try TestBench()
        for (frame, what) in wrongReports {
            #expect(try bench.refusal(of: frame, .egress) == .invalid, "\(what)")
        }
    }

    @Test func `everything else of IGMP is left to rules`() throws {
        let bench = try TestBench()
        let group = Self.group.bytes
        for frame in [
            frame(.egress, 0x16, group, to: Self.group, hops: 2),
            frame(.egress, 0x16, group, to: Frame.peers[0]),
            frame(.egress, 0x16, group, to: .v4(.max)),
            frame(.egress, 0x11, [0, 0, 0, 0], to: Self.allSystems),
            frame(.egress, 0x13, group, to: Self.group),
            frame(.egress, 0x16, [1, 2, 3], to: Self.group),
        ] { #expect(try bench.refusal(of: frame, .egress) == .refused) }
        for source in [Frame.peers[0], .v4(0x0a00_0009)] {
            let frame = frame(.egress, 0x16, group, from: source, to: Self.group)
            #expect(try bench.refusal(of: frame, .egress) == .spoofed)
        }
        let lost = frame(.egress, 0x16, group, from: Self.nowhere, to: Self.group, hops: 2)
        #expect(try bench.refusal(of: lost, .egress) == .spoofed)
    }

    @Test func `queries reach the endpoint, and reports don't`() throws {
        let bench = try TestBench()
        func query(
            from source: IPAddress = .v4(0x0a00_0063), hops: UInt8 = 1,
            options: [UInt8] = Self.alert
        ) -> [UInt8] {
            frame(
                .ingress, 0x11, [0, 0, 0, 0], code: 100, from: source, to: Self.allSystems,
                hops: hops, options: options)
        }
        // The host's own, with and without an address: a snooping bridge has none.
        #expect(try bench.refusal(of: query(), .ingress, mark: 0) == nil)
        #expect(try bench.refusal(of: query(from: Self.nowhere), .ingress, mark: 0) == nil)
        #expect(try bench.refusal(of: query(options: []), .ingress, mark: 0) == nil)
        #expect(try bench.refusal(of: query(hops: 2), .ingress, mark: 0) == .refused)
        // An endpoint is no querier.
        #expect(try bench.refusal(of: query(from: Frame.peers[0]), .ingress) == .refused)
        for type in [0x12, 0x16, 0x17, 0x22] as [UInt8] {
            let report = frame(.ingress, type, Self.group.bytes, to: Self.group)
            #expect(try bench.overhearing(report) == .multicast)
            #expect(try bench.overhearing(report, mark: 0) == .multicast)
        }
    }

    @Test func `groups have the rate that they have in IPv6`() throws {
        let bench = try TestBench()
        #expect(try bench.refusal(of: report(257, 257), .egress) == .invalid)
        #expect(try bench.refusal(of: report(100, 100), .egress) == nil)
        #expect(try bench.refusal(of: report(100, 100), .egress) == nil)
        #expect(try bench.refusal(of: report(100, 100), .egress) == .invalid)
        #expect(try bench.refusal(of: report(20, 20), .egress) == nil)
    }
}
