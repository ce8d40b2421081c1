import Dispatch
import Foundation
import HostFilter
import NetTypes
import Testing

/// The table of flows where it is full, and while the agent looks at it.
@Suite(.serialized) struct FlowTableTests {
    private let syn: UInt8 = 2, ack: UInt8 = 16, synAck: UInt8 = 18, rst: UInt8 = 4
    private let peer = NamespaceID(device: 0, inode: 2)

    private func flow(_ local: UInt16, _ remote: UInt16) -> HostFilter.Flow {
        .init(
            local: Frame.own[0], localPort: local, remote: Frame.peers[0], remotePort: remote,
            ipProtocol: 6)
    }

    /// Whether a segment of the flow passes.
    private func passes(
        _ flow: HostFilter.Flow, _ direction: Direction, _ flags: UInt8, _ bench: TestBench
    ) throws -> Bool {
        let isOut = direction == .egress
        let segment = Frame.tcp(
            isOut ? flow.localPort : flow.remotePort, isOut ? flow.remotePort : flow.localPort,
            flags)
        return try bench.filter.run(
            Frame.ip(direction, .v4, 6, segment), direction, mark: isOut ? 0 : bench.peerMark
        ).passes
    }

    /// What another rule admits goes on, but not at an address that is not the endpoint's any more.
    @Test(arguments: [AddressFamily.v4, .v6])
    func `a flow whose rule is gone is judged by its address as well`(
        _ family: AddressFamily
    ) throws {
        let bench = try TestBench()
        func out(_ from: UInt16, _ to: UInt16, _ flags: UInt8) throws -> HostRefusal? {
            try bench.refusal(
                of: Frame.ip(.egress, family, 6, Frame.tcp(from, to, flags)), .egress)
        }
        func back(_ from: UInt16, _ to: UInt16, _ flags: UInt8) throws -> HostRefusal? {
            try bench.refusal(
                of: Frame.ip(.ingress, family, 6, Frame.tcp(from, to, flags)), .ingress)
        }
        #expect(try out(1000, 80, syn) == nil && back(80, 1000, synAck) == nil)
        #expect(try back(2000, 443, syn) == nil && out(443, 2000, synAck) == nil)
        try bench.succeed(1)
        #expect(try out(1000, 80, ack) == nil && back(80, 1000, ack) == nil)
        #expect(try back(2000, 443, ack) == nil && out(443, 2000, ack) == nil)
        try bench.filter.dropAddress(Frame.own[family == .v4 ? 0 : 1], of: bench.endpoint)
        try bench.succeed(2)
        #expect(try out(1000, 80, ack) == .spoofed && back(80, 1000, ack) == .spoofed)
        #expect(try back(2000, 443, ack) == .forwarded && out(443, 2000, ack) == .forwarded)
    }

    /// Flows that the endpoint may open, all in one bucket.
    private func flows(
        _ count: Int, inBucketOf known: HostFilter.Flow, _ bench: TestBench
    ) throws -> [HostFilter.Flow] {
        let bucket = try bench.filter.bucket(of: known, at: bench.endpoint)
        var found: [HostFilter.Flow] = []
        for remote in UInt16(80)...95 {
            for local in UInt16(1)...65_000 {
                let flow = flow(local, remote)
                guard try bench.filter.bucket(of: flow, at: bench.endpoint) == bucket else {
                    continue
                }
                found.append(flow)
                if found.count == count { return found }
            }
        }
        Issue.record("too few flows meet in bucket \(bucket)")
        return found
    }

    @Test func `a full bucket costs nobody a flow`() throws {
        let bench = try TestBench()
        // The peer's, who called first.
        let others = flow(443, 5)
        #expect(try passes(others, .ingress, syn, bench))
        #expect(try passes(others, .egress, synAck, bench))
        try bench.admit(80...95)
        let flows = try flows(22, inBucketOf: others, bench)
        let (met, late) = (flows.prefix(20), flows.suffix(2))
        for flow in met { #expect(try passes(flow, .egress, syn, bench)) }
        func expectHeld(_ count: UInt64) throws {
            #expect(try bench.filter.held(by: bench.endpoint).opened == count)
            #expect(try bench.filter.held(by: peer).opened == 1)
        }
        try expectHeld(15)
        // Each is known, wherever it stands.
        for flow in met { #expect(try passes(flow, .ingress, synAck, bench)) }
        #expect(try passes(others, .ingress, ack, bench))
        #expect(try passes(others, .egress, ack, bench))
        for _ in 0..<3 {
            try bench.filter.sweep()
            try expectHeld(15)
        }
        // A place is nobody's until no program can write to it any more.
        try bench.filter.forget(flows[0], at: bench.endpoint)
        #expect(try !passes(flows[0], .ingress, ack, bench))
        #expect(try passes(late[20], .egress, syn, bench))
        try expectHeld(15)
        try bench.filter.sweep()
        try expectHeld(15)
        try bench.filter.sweep()
        try expectHeld(14)
        #expect(try passes(late[21], .egress, syn, bench))
        try expectHeld(15)
        for flow in flows.dropFirst() { #expect(try passes(flow, .ingress, synAck, bench)) }
        #expect(try passes(others, .egress, ack, bench))
    }

    @Test func `a flow that another opens again is the other's`() throws {
        let bench = try TestBench()
        let flow = flow(443, 80)
        #expect(try passes(flow, .egress, syn, bench))
        #expect(try bench.filter.held(by: bench.endpoint).opened == 1)
        #expect(try passes(flow, .egress, rst, bench))
        #expect(try passes(flow, .ingress, syn, bench))
        #expect(try bench.filter.held(by: bench.endpoint).opened == 0)
        #expect(try bench.filter.held(by: peer).opened == 1)
        try bench.filter.forgetFlows()
        #expect(try bench.filter.held(by: peer).opened == 0)
    }

    @Test func `what is counted while the agent looks is counted`() throws {
        let bench = try TestBench()
        nonisolated(unsafe) let filter = bench.filter
        let finished = DispatchSemaphore(value: 0)
        for (port, count) in [(UInt16(80), 16_000), (81, 60_000)] {
            let frame = Frame.ip(.egress, .v4, 6, Frame.tcp(1000, port, syn))
            Thread {
                _ = try? filter.runFirstPackets(frame, count: count)
                finished.signal()
            }.start()
            while finished.wait(timeout: .now()) == .timedOut {
                try filter.sweep()
                _ = try filter.takeRefusedFlows()
            }
        }
        let kept = try UInt64(filter.refusedFlows().count)
        #expect(
            try filter.held(by: bench.endpoint)
                == .init(opened: 16_000, outside: 0, refused: kept))
        #expect(try bench.total(.refused) == 60_000)
        _ = try filter.takeRefusedFlows()
        #expect(try filter.held(by: bench.endpoint).refused == 0)
    }
}
