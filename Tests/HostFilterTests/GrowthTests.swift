import CBPF
import HostRules
import NetTypes
import Rules
import Testing

@testable import HostFilter

/// Maps that become larger and smaller while programs stand over them.
@Suite(.serialized) struct GrowthTests {
    private let opening = Frame.ip(.egress, .v4, 6, Frame.tcp(1000, 80, 2))
    private let answer = Frame.ip(.ingress, .v4, 6, Frame.tcp(80, 1000, 0x12))
    private let forbidden = Frame.ip(.egress, .v4, 6, Frame.tcp(1000, 81, 2))

    /// Everything that may be resized.
    private static let larger = Capacity(
        endpoints: 4096, own: 1 << 18, peers: 1 << 18, networks: 1 << 18, shapes: 1 << 13,
        admissions: 1 << 14, rules: 1 << 13, flows: 1 << 18)

    private func packets(_ bench: TestBench) throws -> UInt64 {
        try bench.filter.counts(of: bench.endpoint).values.reduce(0) { $0 + $1.traffic.packets }
    }

    @Test func `flows, counts and refusals outlast larger and smaller maps`() throws {
        let bench = try TestBench()
        let small = bench.filter.capacity
        #expect(try bench.refusal(of: opening, .egress) == nil)
        #expect(try bench.refusal(of: forbidden, .egress) == .refused)
        for target in [Self.larger, small.union(Capacity(flows: 1 << 18)), Self.larger] {
            let before = try (packets(bench), bench.total(.refused))
            try bench.filter.resize(to: target)
            #expect(bench.filter.capacity == target)
            #expect(bench.folders.count == 1)
            #expect(try packets(bench) == before.0)
            #expect(try bench.total(.refused) == before.1)
            // The answer belongs to a flow that was opened over other maps: no rule admits it alone.
            #expect(try bench.refusal(of: answer, .ingress) == nil)
            #expect(try bench.refusal(of: forbidden, .egress) == .refused)
            #expect(try packets(bench) == before.0 + 1)
        }
        #expect(try bench.filter.refusedFlows().values.map(\.packets) == [4])
        #expect(try bench.filter.held(by: bench.endpoint).opened == 1)
        try bench.revoke()
        #expect(try bench.refusal(of: answer, .ingress) == .revoked)
    }

    @Test func `maps follow what they have to hold`() throws {
        let bench = try TestBench()
        let room = bench.filter.capacity.admissions
        let refused = #expect(throws: BPFError.self) { try bench.crowd(3 * room) }
        let need = try #require(refused?.need)
        #expect(need.admissions >= 3 * room)
        try bench.filter.resize(to: bench.filter.capacity.grown(for: need))
        try bench.crowd(3 * room)
        #expect(try bench.refusal(of: opening, .egress) == nil)
        // Too small a target is corrected to what is held.
        try bench.filter.resize(to: Capacity())
        #expect(bench.filter.capacity.admissions >= 3 * room)
        try bench.crowd(1)
        try bench.filter.resize(to: Capacity())
        #expect(bench.filter.capacity.admissions <= room)
        #expect(try bench.refusal(of: answer, .ingress) == nil)
    }

    @Test func `what exceeds the maximum changes nothing`() throws {
        let bench = try TestBench()
        var entries = HostEntries()
        entries.rules = Set(
            (0...UInt32(Capacity.most.rules)).map { Mark(rawValue: Mark.ruleBit | $0) })
        let refused = #expect(throws: BPFError.self) {
            try bench.filter.apply(entries, to: bench.endpoint)
        }
        #expect(refused?.need.map { Capacity.most.shortage(for: $0)?.map } == "rules")
        #expect(refused?.description.contains("at most") == true)
        #expect(try bench.refusal(of: opening, .egress) == nil)
        #expect(try bench.refusal(of: forbidden, .egress) == .refused)
    }

    @Test func `rules beyond smaller maps move, and keep their counts and flows`() throws {
        let bench = try TestBench()
        try bench.filter.resize(to: bench.filter.capacity.union(Self.larger))
        // The first slots are somebody else's for a while.
        var many = HostEntries()
        many.rules = Set((0..<4000).map { Mark(rawValue: Mark.ruleBit | 0x100 | $0 << 12) })
        let other = NamespaceID(device: 0, inode: 9)
        try bench.filter.apply(many, to: other)
        try bench.succeed(1)
        try bench.filter.apply(HostEntries(), to: other)
        #expect(bench.filter.slots.values.flatMap(\.values).contains { $0 >= 2048 })
        #expect(try bench.refusal(of: opening, .egress) == nil)
        try bench.filter.resize(to: bench.filter.capacity.shrunk(for: Capacity()))
        var target = bench.filter.capacity
        target.rules = 2048
        try bench.filter.resize(to: target)
        #expect(bench.filter.slots.values.flatMap(\.values).allSatisfy { $0 < 2048 })
        #expect(try packets(bench) == 1)
        #expect(try bench.refusal(of: answer, .ingress) == nil)
        #expect(try packets(bench) == 2)
        #expect(try bench.successor().counts(of: bench.endpoint).values.contains { $0.flows == 1 })
    }

    @Test func `what programs over former maps count on is not lost`() throws {
        let bench = try TestBench()
        _ = try bench.refusal(of: opening, .egress)
        let former = bench.filter.programs
        // A link that can't be replaced, since it is none.
        let odd = bench.filter.links + "/77-from"
        try Pinned.pin(bench.filter.maps.events, at: odd)
        #expect(throws: BPFError.self) { try bench.filter.resize(to: Self.larger) }
        #expect(bench.filter.unreplaced.keys.sorted() == [77])
        let present = bench.filter.programs
        for programs in [former, present, former] {
            bench.filter.programs = programs
            #expect(try bench.filter.run(answer, .ingress, mark: bench.peerMark).passes)
            #expect(try !bench.filter.run(forbidden, .egress).passes)
        }
        bench.filter.programs = present
        #expect(try packets(bench) == 4)
        #expect(try bench.total(.refused) == 3)
        // The agent is killed here: the next one finds both folders.
        #expect(bench.folders.count == 2)
        let next = try bench.successor()
        #expect(next.isGrowing)
        func expectCounts(_ filter: HostFilter) throws {
            let counts = try filter.counts(of: bench.endpoint).values
            #expect(counts.reduce(0) { $0 + $1.traffic.packets } == 4)
            #expect(counts.reduce(0) { $0 + $1.flows } == 1)
            #expect(try filter.totals(of: bench.endpoint)[.refused]?.packets == 3)
        }
        try expectCounts(next)
        #expect(throws: BPFError.self) { try next.endGrowth() }
        Pinned.remove(odd)
        try next.endGrowth()
        #expect(!next.isGrowing)
        #expect(bench.folders.count == 1)
        try expectCounts(next)
        try expectCounts(bench.successor())
    }

    @Test func `half a set of maps is nobody's`() throws {
        let bench = try TestBench()
        _ = try bench.refusal(of: opening, .egress)
        let unfinished = bench.filter.sets.unfinished
        try Pinned.prepare(root: bench.filter.configuration.root, folder: unfinished)
        for name in ["own", "rules", "rule_counts"] {
            try Pinned.copy(bench.filter.folder + "/" + name, to: unfinished + "/" + name)
        }
        let next = try bench.successor()
        #expect(next.capacity == bench.filter.capacity)
        #expect(Pinned.names(in: unfinished).isEmpty)
        #expect(try next.counts(of: bench.endpoint).values.contains { $0.flows == 1 })
        try next.resize(to: Self.larger)
        #expect(next.capacity == Self.larger)
    }

    @Test func `a larger table takes every flow along`() throws {
        let bench = try TestBench()
        let ports = 2000..<UInt16(6000)
        for port in ports {
            _ = try bench.filter.run(
                Frame.ip(.egress, .v4, 6, Frame.tcp(port, 80, 2)), .egress)
        }
        try bench.filter.resize(to: bench.filter.capacity.union(Capacity(flows: 1 << 18)))
        #expect(try bench.filter.held(by: bench.endpoint).opened == UInt64(ports.count))
        for port in ports {
            let answer = Frame.ip(.ingress, .v4, 6, Frame.tcp(80, port, 0x12))
            guard try bench.filter.run(answer, .ingress, mark: bench.peerMark).passes else {
                Issue.record("the flow from port \(port) is lost")
                return
            }
        }
        #expect(try packets(bench) == UInt64(2 * ports.count))
    }
}
