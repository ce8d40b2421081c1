import Nftables
import Rules

extension Station {
    /// The counters with every flow that was refused since others were read, when the sets were
    /// empty; and how often they had to be read again for it.
    ///
    /// The kernel grows a hash table behind the packets that fill it, and a dump that runs meanwhile
    /// may skip flows or show them twice, without a word. The counters of the chains tell.
    func counts(since before: TableCounts) throws -> (TableCounts, rereads: Int) {
        var (counts, rereads) = (try table.counts(), 0)
        while counts.keptPackets != counts.refusedPackets - before.refusedPackets, rereads < 100 {
            counts = try table.counts()
            rereads += 1
        }
        return (counts, rereads)
    }
}

extension TableCounts {
    /// Packets that were refused, for whatever reason.
    var refusedPackets: UInt64 { totals.values.reduce(0) { $0 + $1.packets } }

    /// Those of them whose flows are kept.
    fileprivate var keptPackets: UInt64 { refused.values.reduce(0) { $0 + $1.packets } }
}
