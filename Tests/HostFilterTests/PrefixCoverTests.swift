import Testing

@testable import HostRules

@Suite struct PrefixCoverTests {
    @Test(
        arguments: [
            0...0, 0...255, 255...255, 1...254, 80...80, 17...18, 0...16, 18...255, 127...128,
        ] as [ClosedRange<UInt8>])
    func `prefixes cover a range exactly, each once`(_ range: ClosedRange<UInt8>) {
        var covered: [UInt8] = []
        for (base, length) in range.prefixes {
            let free = 8 - length
            #expect(free == 8 || base & ((1 << UInt8(free)) - 1) == 0)
            covered += (0..<(1 << free)).map { base + UInt8($0) }
        }
        #expect(covered == Array(range))
    }

    @Test func `a whole family is one prefix`() {
        #expect((UInt128.min...UInt128.max).prefixes.count == 1)
        #expect((UInt16.min...UInt16.max).prefixes.first?.length == 0)
    }
}
