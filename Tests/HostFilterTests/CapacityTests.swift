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

    @Test func `maps that are too small grow with headroom, the others stay`() {
        let small = Capacity().withHeadroom
        let grown = small.grown(for: Capacity(endpoints: 3, admissions: 100_000, rules: 2048))
        #expect(grown.admissions == 262_144)
        #expect(grown.rules == small.rules)
        #expect(grown.shrunk(for: Capacity(admissions: 20_000)) == grown)
        #expect(grown.shrunk(for: Capacity(admissions: 1000)).admissions == 2048)
    }

    @Test func `no map exceeds its maximum`() {
        let most = Capacity.most
        let need = most + most
        #expect(Capacity().grown(for: need) == most)
        #expect(most.shortage(for: most) == nil)
        #expect(most.shortage(for: need)?.map == "endpoints")
    }

    @Test func `too small a flow table has to grow`() {
        var capacity = Capacity(endpoints: 1).withHeadroom
        capacity.endpoints = 60_000
        let many = Capacity(of: Array(repeating: HostEntries(), count: 2000))
        #expect(capacity.shortage(for: many)?.map == "flows")
        let few = Capacity(of: Array(repeating: HostEntries(), count: 1000))
        #expect(capacity.shortage(for: few) == nil)
    }
}
