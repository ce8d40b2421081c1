import CBPF
import Testing

@testable import HostFilter

/// Whose share a flow takes up a part of.
@Suite(.serialized) struct ShareTests {
    @Test func `a flow that is read in the middle of a change ends nobody`() throws {
        let bench = try TestBench()
        var flow = rf_flow()
        flow.key.endpoint = 1
        flow.is_counted = 1
        flow.direction = UInt8(RF_INGRESS.rawValue)
        // The direction is written after the sender, which an egress flow has none of.
        flow.remote = RF_UNKNOWN
        #expect(bench.filter.maps.shares.index(flow) == nil)
        flow.remote = 3
        #expect(bench.filter.maps.shares.index(flow) == 3 * Int(RF_USAGES.rawValue))
    }
}
