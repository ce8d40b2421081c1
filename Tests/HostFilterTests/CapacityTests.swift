import HostRules
import Testing

@Suite struct CapacityTests {
    @Test(arguments: [
        (1, 16_384), (4, 16_384), (5, 8192), (100, 512), (1000, 256), (2000, 256), (60_000, 8),
    ])
    func `every initiator has a share of the flows`(_ endpoints: Int, _ share: Int) {
        let capacity = Capacity(endpoints: endpoints).withHeadroom
        #expect(capacity.flowShare(of: endpoints) == share)
        #expect(2 * endpoints * share <= capacity.flows)
    }

    @Test(arguments: [1, 100, 1000, 16_000])
    func `there is room for the addresses that every endpoint may give itself`(_ endpoints: Int) {
        let capacity = Capacity(endpoints: endpoints).withHeadroom
        #expect(capacity.own >= endpoints * 64)
    }

    @Test func `too small a table of flows is made anew`() {
        var capacity = Capacity(endpoints: 1).withHeadroom
        capacity.endpoints = 60_000
        let many = Capacity(of: Array(repeating: HostEntries(), count: 2000))
        #expect(capacity.shortage(for: many)?.map == "flows")
        let few = Capacity(of: Array(repeating: HostEntries(), count: 1000))
        #expect(capacity.shortage(for: few) == nil)
    }
}
