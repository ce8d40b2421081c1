import Foundation
import HostFilter
import HostRules
import Linux
import NetTypes
import Rules

/// What a packet costs in the host filter, by BPF_PROG_TEST_RUN on one processor.
///
/// A packet of a known flow and one that was refused before are judged again and again in one call.
/// First packets are as many flows as fit, in one call as well, each by way of a program that counts
/// the source port up; what that program takes by itself is measured right before and subtracted.
/// Each of those flows has a place of its own in a table of 16 MB, as in a host.
final class HostFilterCost {
    /// In nanoseconds a packet.
    struct Times {
        /// Of a flow that is known.
        var established: Double
        /// Opens a flow, one after the other, all to one service.
        var admitted: Double
        /// The same, each to another peer, so that nothing that was judged before helps.
        ///
        /// Nil where there are too few of them.
        var admittedAnew: Double?
        /// Opens a flow, by itself after a system call: what it needs is in no cache.
        var admittedAlone: Double
        /// Refused, its flow met before.
        var refused: Double
        /// Refused, the first of its flow, one after the other.
        var refusedFirst: Double
    }

    /// As many flows as one initiator may have in the table, nearly.
    private static let share = 16_000
    /// As many refused flows as are kept of one endpoint.
    private static let kept = 512
    /// As many judgements as a processor has at hand, twice over.
    private static let remembered = 512
    private static let own: IPAddress = .v4(0x0a00_0001)
    private static let hardwareAddress: [UInt8] = [2, 0, 0, 0, 0, 1]
    private static let endpoint = NamespaceID(device: 0, inode: 1)

    private let filter: HostFilter
    private let root: String
    private let peer: IPAddress
    /// The last bits of the peers' addresses, as far as each stands for a peer.
    private let peers: UInt16

    /// An endpoint with so many rules, each of a peer of its own.
    init(rules count: Int) throws {
        root = NSTemporaryDirectory() + "ringfence-bench-bpf-\(getpid())-\(count)"
        peer = Self.peer(count / 2)
        peers = UInt16((1 << (Int.bitWidth - 1 - count.leadingZeroBitCount)) - 1)
        let entries = HostEntries(Self.state(rules: count), senders: Senders([:]))
        filter = try HostFilter(.init(root: root, host: 1), need: Capacity(of: [entries]))
        try filter.apply(entries, to: Self.endpoint)
        let number = try filter.number(of: Self.endpoint)
        try filter.declare(
            Post(interface: 1, number: number, hardwareAddress: Self.hardwareAddress),
            of: Self.endpoint)
    }

    deinit {
        filter.removeAll()
        umount2(root, CInt(MNT_DETACH))
        rmdir(root)
    }

    /// Judges packets in turns at endpoints with so many rules: what else the machine does is the
    /// same for all.
    ///
    /// - Returns: By round the times at each of the endpoints.
    static func measure(rules: [Int], rounds: Int) throws -> [[Times]] {
        let endpoints = try rules.map { try HostFilterCost(rules: $0) }
        return try (0..<rounds).map { _ in try endpoints.map { try $0.times() } }
    }

    private func times() throws -> Times {
        let known = Self.frame(to: peer, port: 1000, from: 1)
        _ = try filter.run(known, .egress)
        let established = try filter.run(known, .egress, times: 200_000)
        let refusedFrame = Self.frame(to: peer, port: 2000, from: 1)
        let refused = try filter.run(refusedFrame, .egress, times: 200_000)
        guard established.passes, !refused.passes else {
            throw BenchError("the host filter judges wrongly")
        }
        // One run at a time measures the clock as well: what it adds is known from the known flow.
        let clock = try median { _ in known } - Double(established.nanoseconds)
        let alone = try median { Self.frame(to: peer, port: 1000, from: UInt16($0 + 2)) }
        return Times(
            established: Double(established.nanoseconds),
            admitted: try firstPackets(port: 1000, passes: true, count: Self.share),
            admittedAnew: peers > Self.remembered
                ? try firstPackets(
                    port: 1000, passes: true, count: Self.share, counting: peers) : nil,
            admittedAlone: alone - clock,
            refused: Double(refused.nanoseconds),
            refusedFirst: try firstPackets(port: 2000, passes: false, count: Self.kept))
    }

    /// The median of calls in which each packet is the first of its flow: so many flows in one call, less
    /// what the way to the program costs.
    ///
    /// The flows are the same in each call and forgotten in between, so that their places are as near
    /// to the processor as they can be; the first call, which fetches them, is left out.
    private func firstPackets(
        port: UInt16, passes: Bool, count: Int, counting: UInt16 = 0
    ) throws -> Double {
        let packets = try filter.firstPackets()
        let times = try (0..<8).map { _ in
            try forget()
            let run = try filter.runFirstPackets(
                Self.frame(to: peer, port: port, from: 10_000), count: count, by: packets,
                counting: counting)
            guard run.passes == passes else { throw BenchError("the host filter judges wrongly") }
            return run.nanoseconds
        }.dropFirst()
        return Double(times.sorted()[times.count / 2])
    }

    /// The median of single runs; outliers are interrupts.
    private func median(_ frame: (Int) -> [UInt8]) throws -> Double {
        try forget()
        let times = try (0..<100).map { try filter.run(frame($0), .egress).nanoseconds }
        return Double(times.sorted()[times.count / 2])
    }

    private func forget() throws {
        try filter.forgetFlows()
        _ = try filter.takeRefusedFlows()
        filter.drainEvents()
    }

    private static func peer(_ index: Int) -> IPAddress { .v4(0x0a01_0000 + UInt32(index)) }

    /// Each rule admits TCP port 1000 to a peer of its own.
    private static func state(rules count: Int) -> EndpointState {
        let indices = 0..<count
        func peerClass(_ index: Int) -> Mark { Mark(rawValue: UInt32(index + 1)) }
        func rule(_ index: Int) -> Mark { Mark(rawValue: Mark.ruleBit | UInt32(index + 1)) }
        return EndpointState(
            own: [own],
            peers4: indices.map {
                let address = 0x0a01_0000 + UInt32($0)
                return PeerRange(addresses: address...address, peerClass: peerClass($0))
            },
            egress: indices.map {
                Admission(
                    peerClass: peerClass($0), protocols: 6...6, ports: 1000...1000, rule: rule($0))
            },
            rules: RuleTable(
                indices.map {
                    (
                        rule($0),
                        LiveRule(
                            policy: "bench", id: RuleID(rawValue: UInt64($0)), direction: .egress)
                    )
                }))
    }

    /// A SYN from the endpoint.
    private static func frame(to peer: IPAddress, port: UInt16, from source: UInt16) -> [UInt8] {
        func bytes(_ number: UInt16) -> [UInt8] { [UInt8(number >> 8), UInt8(number & 255)] }
        let ethernet: [UInt8] = [2, 0, 0, 0, 0, 2] + hardwareAddress + [8, 0]
        let header: [UInt8] =
            [0x45, 0, 0, 40, 0, 1, 0x40, 0, 64, 6, 0, 0] + own.bytes + peer.bytes
        return ethernet + header + bytes(source) + bytes(port)
            + [0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 255, 255, 0, 0, 0, 0]
    }
}
