import NetTypes
import TestSupport
import Testing

/// The laws of sets, against `Set` itself; bytes show both ends of the number range.
@Suite struct IntervalSetTests {
    @Test(arguments: Seeds.all) func `is a set`(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<2_000 {
            let (left, a) = sets(&random)
            let (right, b) = sets(&random)
            expect(left, a)
            expect(left.union(right), a.union(b))
            expect(left.intersection(right), a.intersection(b))
            expect(left.subtracting(right), a.subtracting(b))
            expect(left.complement, Set(UInt8.min...UInt8.max).subtracting(a))
            #expect((left == right) == (a == b))
            #expect(left.complement.complement == left)
            #expect(left.union(right) == right.union(left))
        }
    }

    private func sets(_ random: inout SeededGenerator) -> (IntervalSet<UInt8>, Set<UInt8>) {
        let ranges = random.list(0...5) { random in
            let bounds = [0, 1, 2, 127, 128, 254, 255, random.number(0...255)]
            let (one, other) = (UInt8(random.pick(bounds)), UInt8(random.pick(bounds)))
            return min(one, other)...max(one, other)
        }
        return (IntervalSet(ranges), Set(ranges.joined()))
    }

    /// Equal members, found one by one, in ranges that neither overlap nor touch.
    private func expect(_ intervals: IntervalSet<UInt8>, _ members: Set<UInt8>) {
        #expect(
            (UInt8.min...UInt8.max).allSatisfy { intervals.contains($0) == members.contains($0) })
        #expect(Set(intervals.ranges.joined()) == members)
        #expect(intervals.isEmpty == members.isEmpty)
        let pairs = zip(intervals.ranges, intervals.ranges.dropFirst())
        #expect(pairs.allSatisfy { Int($0.upperBound) + 1 < Int($1.lowerBound) })
    }

    @Test func `reaches the ends of wide numbers`() {
        let whole = IntervalSet<UInt128>.all
        #expect(whole.complement.isEmpty)
        #expect(IntervalSet<UInt128>().complement == whole)
        #expect(whole.contains(.max) && whole.contains(0))
        let last = IntervalSet<UInt128>(UInt128.max...UInt128.max)
        #expect(whole.subtracting(last).union(last) == whole)
    }

    @Test func `addresses keep their families apart`() {
        let four = AddressSet(v4: 0...9)
        let six = AddressSet(v6: 0...9)
        #expect(four.intersection(six).isEmpty)
        #expect(four.union(six).subtracting(four) == six)
        #expect(four.contains(.v4(1)) && !four.contains(.v6(1)))
        #expect(
            AddressSet([IPAddress.v4(1), .v4(0), .v6(3)])
                == AddressSet(v4: .init(0...1), v6: .init(3...3)))
        #expect(AddressSet([Prefix.all(.v4), .all(.v6)]) == .all)
    }
}
