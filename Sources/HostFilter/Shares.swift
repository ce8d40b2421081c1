internal import CBPF
internal import Glibc
internal import Linux

/// How much of the tables is held on behalf of each endpoint: `rf_usage`.
///
/// The programs add while the agent subtracts, so nothing is ever written back whole.
final class Shares {
    private let map: BPFMap<UInt32, UInt64>
    private let memory: Mapping<UInt64>
    /// What a share had counted too much at the last look, by index.
    private var suspected: [Int: Int64] = [:]

    init(_ map: consuming BPFMap<UInt32, UInt64>) throws(BPFError) {
        memory = try Mapping(map, as: UInt64.self, PROT_READ | PROT_WRITE)
        self.map = map
    }

    /// Where it is counted what is held on behalf of an endpoint; nil for a number beyond the map.
    func index(_ number: UInt32, _ kind: rf_usage) -> Int? {
        // A flow may be read in the middle of a change, when it names nobody yet.
        let index = Int(number) * Int(RF_USAGES.rawValue) + Int(kind.rawValue)
        return index < map.capacity ? index : nil
    }

    /// Whose share a flow takes up a part of; nil where it takes up none.
    func index(_ flow: rf_flow) -> Int? {
        guard flow.is_counted != 0 else { return nil }
        let endpoint = UInt32(flow.key.endpoint)
        let initiator = flow.direction == RF_EGRESS.rawValue ? endpoint : flow.remote
        return initiator == 0
            ? index(endpoint, RF_USAGE_OUTSIDE) : index(initiator, RF_USAGE_OWN)
    }

    /// What each share holds now, up to the last that holds something for certain.
    ///
    /// - Parameter highest: The highest number that an endpoint has or had lately.
    /// - Returns: By index.
    func counts(upTo highest: UInt32) -> [UInt64] {
        let count = min((Int(highest) + 1) * Int(RF_USAGES.rawValue), map.capacity)
        return (0..<count).map { cbpf_count(memory.start + $0) }
    }

    /// Gives a number that is to be another endpoint's the whole rate of control messages again.
    func clearRates(of number: UInt32) {
        let rates = [RF_USAGE_CONTROL, RF_USAGE_GROUPS, RF_USAGE_QUERIES]
        for index in rates.compactMap({ index(number, $0) }) {
            add(-Int64(truncatingIfNeeded: cbpf_count(memory.start + index)), at: index)
        }
    }

    func add(_ change: Int64, at index: Int?) {
        if let index { cbpf_add(memory.start + index, change) }
    }

    /// Mends what an agent that ended between two steps has left behind.
    ///
    /// - Parameters:
    ///   - found: What was found in the table of flows, by share.
    ///   - before: What the shares held before the look. One that has changed meanwhile can't be
    ///     compared; one that is wrong twice by the same number is wrong.
    func mend(_ found: [Int: UInt64], before: [UInt64]) {
        var suspects: [Int: Int64] = [:]
        let kinds = [Int(RF_USAGE_OWN.rawValue), Int(RF_USAGE_OUTSIDE.rawValue)]
        for (index, before) in before.enumerated() {
            let count = cbpf_count(memory.start + index)
            guard kinds.contains(index % Int(RF_USAGES.rawValue)), count == before else { continue }
            let excess = Int64(truncatingIfNeeded: count &- (found[index] ?? 0))
            guard excess != 0 else { continue }
            if suspected[index] == excess {
                add(-excess, at: index)
            } else {
                suspects[index] = excess
            }
        }
        suspected = suspects
    }
}

extension HostFilter {
    /// Where it is counted what is held on behalf of an endpoint, in a map of any size.
    ///
    /// Numbers of endpoints have 16 bits.
    static func usage(of number: UInt32, _ kind: rf_usage) -> UInt32 {
        (number & 0xffff) * UInt32(RF_USAGES.rawValue) + UInt32(kind.rawValue)
    }
}
