import HostFilter
import HostRules
import NetTypes
import Testing

/// What comes after something: an endpoint after one that is gone, other maps after those of another mask.
@Suite(.serialized) struct SuccessionTests {
    private let refused = Frame.ip(.egress, .v4, 6, Frame.tcp(1000, 81, 2))

    @Test func `nobody is charged with what an endpoint left behind`() throws {
        let bench = try TestBench()
        let gone = try #require(bench.filter.knownNumber(of: bench.endpoint))
        let opening = Frame.ip(.egress, .v4, 6, Frame.tcp(1000, 80, 2))
        #expect(try bench.refusal(of: opening, .egress) == nil)
        for _ in 0..<3 { #expect(try bench.refusal(of: refused, .egress) == .refused) }
        _ = try bench.filter.remove(bench.endpoint)
        // Nothing is counted for the number any more, though the programs still stand.
        #expect(try !bench.filter.run(refused, .egress).passes)
        let heir = NamespaceID(device: 0, inode: 3)
        let number = try bench.filter.number(of: heir)
        #expect(try bench.filter.refusedFlows().filter { $0.key.endpoint == number }.isEmpty)
        #expect(try bench.filter.totals(of: heir).isEmpty)
        #expect(number != gone)
    }

    @Test func `other maps keep the numbers, and the earlier ones go when unused`() throws {
        let bench = try TestBench()
        let number = try #require(bench.filter.knownNumber(of: bench.endpoint))
        #expect(bench.folders.count == 1)
        let next = try bench.successor(identityMask: 0x00ff_0000)
        #expect(bench.folders.count == 2)
        // Programs of both kinds read each other's marks.
        #expect(try next.number(of: NamespaceID(device: 0, inode: 3)) != number)
        #expect(try next.number(of: bench.endpoint) == number)
        _ = try next.guardPosts([:])
        #expect(bench.folders.count == 1)
    }
}
