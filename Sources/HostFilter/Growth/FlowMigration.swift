internal import CBPF
internal import Glibc
internal import HostRules
internal import Linux

/// Takes the flows of one table to another of another size, while packets flow.
///
/// Meanwhile every endpoint's share is 0, so programs keep new flows in `overflow_flows` only, which
/// programs over both tables share. Then nothing but the agent puts flows into either table.
final class FlowMigration {
    private let former: FlowTable
    private let next: FlowTable
    /// Each flow as it was copied, by its place in the former table, with its place in the next one.
    private var copied: [UInt32: (flow: rf_flow, place: UInt32)] = [:]

    init(from former: FlowTable, to next: FlowTable) {
        (self.former, self.next) = (former, next)
    }

    /// Copies every flow that programs find.
    ///
    /// - Parameter filter: Whose overflow takes what finds its bucket full.
    /// - Throws: What the kernel refused.
    func copyAll(into filter: HostFilter) throws(BPFError) {
        let flows = try former.flows()
        var rest: [rf_flow] = []
        try next.withTags { words throws(BPFError) in
            for (place, flow) in flows {
                if let there = try next.insert(flow, words) {
                    copied[place] = (flow, there)
                } else {
                    rest.append(flow)
                }
            }
        }
        for flow in rest { try keepInOverflow(flow, filter) }
    }

    private func keepInOverflow(_ flow: rf_flow, _ filter: HostFilter) throws(BPFError) {
        var uncounted = flow
        uncounted.is_counted = 0
        try filter.maps.overflowFlows.set(uncounted, for: flow.key)
        try filter.maps.overflowUsed.set(1, for: 0)
        filter.free(flow)
    }

    /// Copies what programs over the former table have written to flows since; none of them may run any
    /// more.
    ///
    /// - Throws: What the kernel refused.
    func copyChanged() throws(BPFError) {
        for (place, flow) in try former.flows() {
            guard let (before, there) = copied[place], !flow.isSame(as: before),
                var now = try next.flow(at: there), now.key.isSame(as: flow.key)
            else { continue }
            if now.isSame(as: before) {
                now = flow
            } else {
                // Programs over both tables have written to it.
                now.state = max(now.state, flow.state)
                if now.remote == RF_UNKNOWN { now.remote = flow.remote }
                now.seen = max(now.seen, flow.seen)
            }
            try next.set(now, at: there)
        }
    }
}

extension HostFilter {
    /// Has programs keep new flows in the overflow only.
    func stopKeepingFlows() throws(BPFError) {
        try setFlowBudgets(0)
        // One that was judged by the former budget is in the table by now.
        try checkBPF("wait for programs that run") { cbpf_wait_for_programs() }
    }

    /// Gives every endpoint its share of the flow table.
    func keepFlows() throws(BPFError) {
        flowShare = maps.capacity.flowShare(of: Set(posts.values.map(\.number)).count)
        try setFlowBudgets(UInt32(clamping: flowShare))
    }

    private func setFlowBudgets(_ budget: UInt32) throws(BPFError) {
        for (interface, endpoint) in try maps.endpoints.entries() {
            var changed = endpoint
            changed.flow_budget = budget
            try maps.endpoints.set(changed, for: interface)
        }
        try renew()
    }
}
