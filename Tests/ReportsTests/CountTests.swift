import Rules
import Testing

/// Counters of the kernel, which whoever is root in a namespace may have started anywhere.
struct CountTests {
    @Test func `sums end at the largest number that a database takes`() {
        let most = UInt64(Int64.max)
        var count = RuleCount(traffic: Count(packets: .max, bytes: most), flows: .max)
        count += RuleCount(traffic: Count(packets: .max, bytes: 1), flows: 1)
        #expect(count == RuleCount(traffic: Count(packets: most, bytes: most), flows: most))
        count.admit(.max)
        #expect(count.flows == most)
        let small = Count(packets: 1, bytes: 2) + Count(packets: 3, bytes: 4)
        #expect(small == Count(packets: 4, bytes: 6))
    }
}
