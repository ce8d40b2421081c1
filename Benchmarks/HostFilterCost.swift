import Foundation
import HostFilter
import HostRules
import Linux
import NetTypes
import Rules

/// What a packet costs in the host filter, by BPF_PROG_TEST_RUN on one processor.
struct HostFilterCost {
    /// In nanoseconds a packet.
    struct Times {
        /// Of a flow that is known.
        var established: Double
        /// Opens a flow, one after the other.
        var admitted: Double
        /// Opens a flow, by itself after a system call: what it needs is in no cache.
        var admittedAlone: Double
        /// Refused, its flow met before.
        var refused: Double
        /// Refused, the first of its flow, one after the other.
        var refusedFirst: Double
    }

    private static let own: IPAddress = .v4(0x0a00_0001)
    private static let hardwareAddress: [UInt8] = [2, 0, 0, 0, 0, 1]
    private static let endpoint = NamespaceID(device: 0, inode: 1)

    /// Judges packets at an endpoint with so many rules from so many peers.
    static func measure(rules count: Int) throws -> Times {
        let root = NSTemporaryDirectory() + "ringfence-bench-bpf-\(getpid())"
        let entries = HostEntries(state(rules: count), senders: Senders([:]))
        let filter = try HostFilter(
            .init(root: root, host: 1), need: Capacity(of: [entries]))
        defer {
            filter.removeAll()
            umount2(root, CInt(MNT_DETACH))
            rmdir(root)
        }
        try filter.apply(entries, to: endpoint)
        let number = try filter.number(of: endpoint)
        try filter.declare(
            Post(interface: 1, number: number, hardwareAddress: hardwareAddress), of: endpoint)
        let peer = peer(count / 2)
        let known = frame(to: peer, port: 1000, from: 1)
        _ = try filter.run(known, .egress)
        let established = try filter.run(known, .egress, times: 1_000_000)
        let refusedFrame = frame(to: peer, port: 2000, from: 1)
        let refused = try filter.run(refusedFrame, .egress, times: 1_000_000)
        guard established.passes, !refused.passes else {
            throw BenchError("the host filter judges wrongly")
        }
        // One run at a time measures the clock as well: what it adds is known from the known flow.
        let clock =
            try average { _ in
                known
            } filter: {
                filter
            } - Double(established.nanoseconds)
        let alone = try average {
            frame(to: peer, port: 1000, from: UInt16($0 + 2))
        } filter: {
            filter
        }
        let admitted = try firstPackets(to: peer, port: 1000, passes: true, filter)
        let first = try firstPackets(to: peer, port: 2000, passes: false, filter)
        return Times(
            established: Double(established.nanoseconds), admitted: admitted,
            admittedAlone: alone - clock, refused: Double(refused.nanoseconds),
            refusedFirst: first)
    }

    /// The median of runs in which each packet is the first of its flow.
    private static func firstPackets(
        to peer: IPAddress, port: UInt16, passes: Bool, _ filter: HostFilter
    ) throws -> Double {
        let times = try (0..<100).map { _ in
            try filter.forgetFlows()
            _ = try filter.takeRefusedFlows()
            filter.drainEvents()
            let run = try filter.runFirstPackets(
                frame(to: peer, port: port, from: 10_000), count: 400)
            guard run.passes == passes else { throw BenchError("the host filter judges wrongly") }
            return run.nanoseconds
        }
        return Double(times.sorted()[times.count / 2])
    }

    /// The median of single runs; outliers are interrupts.
    private static func average(
        _ frame: (Int) -> [UInt8], filter: () -> HostFilter
    ) throws -> Double {
        var times: [UInt32] = []
        for index in 0..<500 {
            times.append(try filter().run(frame(index), .egress).nanoseconds)
        }
        return Double(times.sorted()[times.count / 2])
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
