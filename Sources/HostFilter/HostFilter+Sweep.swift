internal import CBPF
internal import Glibc
internal import HostRules
internal import Linux
internal import NetTypes

/// What is taken away because its time has come.
extension HostFilter {
    /// Takes flows away that have been idle for too long, and gives numbers free with which nothing is
    /// kept any more.
    ///
    /// What one call ends, the call after the next gives back: calls are further apart than any packet
    /// takes.
    public func sweep() throws(BPFError) {
        try maps.flows.turn(free)
        let before = maps.shares.counts(upTo: highestUsedNumber)
        var found: [Int: UInt64] = [:]
        let now = Self.now
        try maps.flows.end(
            meeting: { flow in
                if let index = maps.shares.index(flow) { found[index, default: 0] += 1 }
            },
            where: { flow in
                now > flow.seen && now - flow.seen > Self.timeout(flow.key.protocol, flow.state)
            })
        maps.shares.mend(found, before: before)
        try endRests()
    }

    /// Tells its initiator's share that a flow has left its place.
    func free(_ flow: rf_flow) { maps.shares.add(-1, at: maps.shares.index(flow)) }

    private static var now: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    /// Idle time in ns: `timeout_of` in bpf/judge.h.
    static func timeout(_ ipProtocol: UInt8, _ state: UInt8) -> UInt64 {
        let isOpen = state == RF_OPEN.rawValue
        let seconds: UInt64 =
            switch ipProtocol {
            case 6: isOpen ? 432_000 : 120
            case 132: isOpen ? 210 : 30
            case 17: isOpen ? 120 : 30
            case 1, 58: 30
            default: 600
            }
        return seconds * 1_000_000_000
    }
}
