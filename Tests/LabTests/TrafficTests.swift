import Foundation
import Linux
import NetTypes
import Testing

@testable import Lab

@Suite(.serialized) struct TrafficTests {
    @Test(arguments: LabTopology.Fabric.allCases, AddressFamily.allCases)
    func `numbered packets all arrive while nothing forbids it`(
        _ fabric: LabTopology.Fabric, _ family: AddressFamily
    ) throws {
        let lab = try TemporaryLab(fabric, count: 2)
        let traffic = try NumberedTraffic(
            from: lab.lab.namespace("n1"), to: lab.lab.namespace("n2"),
            at: SocketAddress(lab.address(1, family), port: 7_000), rate: 2_000)
        #expect(eventually { traffic.report.received.count > 500 })
        let report = traffic.stop()
        #expect(report.gaps == [], "\(report)")
        #expect(report.received.count == report.sent.count)
        #expect(report.answered.count == report.sent.count)
        #expect(report.duplicates == 0)
    }

    @Test func `a drop shows as a gap, with the packets and the times`() throws {
        let lab = try TemporaryLab(.routed, count: 2)
        let traffic = try NumberedTraffic(
            from: lab.lab.namespace("n1"), to: lab.lab.namespace("n2"),
            at: SocketAddress(lab.address(1), port: 7_000), rate: 2_000)
        #expect(eventually { traffic.report.received.count > 100 })
        let before = TrafficReport.now
        try lab.nft(
            "table inet t { chain in { type filter hook input priority 0; udp dport 7000 drop; }; }",
            in: "n2")
        let closed = TrafficReport.now
        let sent = traffic.report.sent.count
        #expect(eventually { traffic.report.sent.count > sent + 200 })
        let reopening = TrafficReport.now
        try lab.nft("delete table inet t", in: "n2")
        let received = traffic.report.received.count
        #expect(eventually { traffic.report.received.count > received + 100 })
        let report = traffic.stop()
        let gap = try #require(report.gaps.first)
        #expect(report.gaps.count == 1, "\(report)")
        // The sender may have been off the processor at either moment: the packets next to it count.
        #expect(gap.sent.lowerBound >= before - 1_000_000)
        #expect(gap.sent.lowerBound <= report.sent.first { $0 > closed } ?? 0)
        #expect(gap.sent.upperBound >= report.sent.last { $0 < reopening - 1_000_000 } ?? .max)
        #expect(report.received(sentAfter: closed).allSatisfy { report.sent[$0] >= reopening })
        #expect(!report.lost(sentIn: closed...reopening).isEmpty)
    }

    @Test func `tells what the sender's own kernel refused`() throws {
        let lab = try TemporaryLab(.bridged, count: 2)
        try lab.nft(
            "table inet t { chain out { type filter hook output priority 0; udp dport 7000 drop; }; }",
            in: "n1")
        let traffic = try NumberedTraffic(
            from: lab.lab.namespace("n1"), to: lab.lab.namespace("n2"),
            at: SocketAddress(lab.address(1), port: 7_000), rate: 2_000)
        #expect(eventually { traffic.report.sent.count > 100 })
        let report = traffic.stop()
        #expect(report.refused.count == report.sent.count)
        #expect(report.received.isEmpty)
    }

    @Test func `a transfer flows, and shows when it stalls`() throws {
        let lab = try TemporaryLab(.routed, count: 2)
        let transfer = try SteadyTransfer(
            from: lab.lab.namespace("n1"), to: lab.lab.namespace("n2"),
            at: SocketAddress(lab.address(1), port: 7_001))
        #expect(eventually { transfer.report.received > 100_000 })
        try lab.nft(
            "table inet t { chain in { type filter hook input priority 0; tcp dport 7001 drop; }; }",
            in: "n2")
        let closed = TrafficReport.now
        usleep(100_000)
        let report = transfer.stop()
        // What had come by then is read a moment later.
        #expect(report.lastArrival <= closed + 20_000_000)
        #expect(report.failure == nil)
    }
}

/// What each end of a flow sees when the host translates addresses; docs/lab.md has the table.
@Suite(.serialized) struct TranslationTests {
    static let virtual = IPAddress.v4(0x0a60_0001)
    static let other = IPAddress.v4(0x0a63_0001)
    static let host = IPAddress.v4(0x0a4d_0001)

    private func views(
        _ fabric: LabTopology.Fabric, _ translations: [LabTranslation],
        calling target: (TemporaryLab) throws -> SocketAddress
    ) throws -> (client: FlowView, server: FlowView, lab: TemporaryLab) {
        let lab = try TemporaryLab(fabric, count: 2, translations: translations)
        let views = try viewsOfConnection(
            from: lab.lab.namespace("n1"), calling: try target(lab),
            to: lab.lab.namespace("n2"), listeningAt: 8_080)
        return (views.client, views.server, lab)
    }

    @Test(arguments: LabTopology.Fabric.allCases)
    func `without translation both see the same`(_ fabric: LabTopology.Fabric) throws {
        let (client, server, lab) = try views(fabric, []) {
            SocketAddress(try $0.address(1), port: 8_080)
        }
        #expect(client.own == server.other)
        #expect(client.other == server.own)
        #expect(client.own.address == (try lab.address(0)))
    }

    @Test func `the client of a translated destination sees only the virtual address`() throws {
        let rule = LabTranslation.destination(
            .tcp, from: Self.virtual, port: 80, to: .v4(0x0a4d_0003), toPort: 8_080)
        let (client, server, lab) = try views(.routed, [rule]) { _ in
            SocketAddress(Self.virtual, port: 80)
        }
        #expect(client.other == SocketAddress(Self.virtual, port: 80))
        #expect(server.own == SocketAddress(try lab.address(1), port: 8_080))
        #expect(server.other == client.own)
    }

    @Test func `the server of a translated source sees only the new source`() throws {
        let rule = LabTranslation.source(
            Prefix(containing: .v4(0x0a4d_0002), length: 32), to: Self.other)
        let (client, server, lab) = try views(.routed, [rule]) {
            SocketAddress(try $0.address(1), port: 8_080)
        }
        #expect(server.other.address == Self.other)
        #expect(client.own.address == (try lab.address(0)))
        #expect(client.other == server.own)
    }

    @Test(arguments: LabTopology.Fabric.allCases)
    func `masquerade and a translated destination hide both`(
        _ fabric: LabTopology.Fabric
    ) throws {
        let rules = [
            LabTranslation.destination(
                .tcp, from: Self.virtual, port: 80, to: .v4(0x0a4d_0003), toPort: 8_080),
            .masquerade(Prefix(containing: .v4(0x0a4d_0000), length: 16)),
        ]
        let (client, server, lab) = try views(fabric, rules) { _ in
            SocketAddress(Self.virtual, port: 80)
        }
        #expect(client.own.address == (try lab.address(0)))
        #expect(client.other == SocketAddress(Self.virtual, port: 80))
        #expect(server.own == SocketAddress(try lab.address(1), port: 8_080))
        #expect(server.other.address == Self.host)
    }

    @Test func `on a bridge, masquerade alone changes nothing between members`() throws {
        let rule = LabTranslation.masquerade(Prefix(containing: .v4(0x0a4d_0000), length: 16))
        let (client, server, _) = try views(.bridged, [rule]) {
            SocketAddress(try $0.address(1), port: 8_080)
        }
        #expect(server.other == client.own)
    }

    @Test func `on a bridge, a translated destination alone doesn't connect`() throws {
        let rule = LabTranslation.destination(
            .tcp, from: Self.virtual, port: 80, to: .v4(0x0a4d_0003), toPort: 8_080)
        let lab = try TemporaryLab(.bridged, count: 2, translations: [rule])
        #expect(throws: SystemError.self) {
            _ = try viewsOfConnection(
                from: lab.lab.namespace("n1"), calling: SocketAddress(Self.virtual, port: 80),
                to: lab.lab.namespace("n2"), listeningAt: 8_080, patience: .milliseconds(500))
        }
    }

    @Test func `a translation that nft refuses is told, and leaves nothing`() throws {
        let topology = LabTopology(
            name: "t\(UInt32.random(in: 0 ... .max))", fabric: .routed, subnets: [],
            namespaces: [LabNamespace(name: "a", addresses: [.v4(0x0a00_0001)])],
            translations: [
                .source(Prefix(containing: .v4(0x0a00_0000), length: 8), to: .v6(1))
            ])
        do throws(LabError) {
            try Lab.up(topology)
            Issue.record("it was accepted")
        } catch {
            guard case .translation(let words) = error else {
                Issue.record("\(error)")
                return
            }
            #expect(words.contains("nat.nft"))
        }
        #expect(!Lab.all().contains(topology.name))
    }
}

/// Whether the condition comes true before the time is over.
func eventually(within seconds: Double = 10, _ condition: () -> Bool) -> Bool {
    let end = Date().addingTimeInterval(seconds)
    while Date() < end {
        if condition() { return true }
        usleep(1_000)
    }
    return condition()
}
