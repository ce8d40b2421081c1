import NetTypes
import Policy
import Rules
import TestSupport
import Testing

@testable import Compiler

/// Addresses cut into classes, against a cut that looks at every address.
@Suite struct CutTests {
    @Test(arguments: Seeds.all)
    func `is what a look at every address finds`(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<300 {
            let groups = Self.groups(&random, ofFamily: 0...5)
            let cut = Cut(of: groups) { _ in 1 }
            let reference = ReferenceCut(groups)
            #expect(cut.peers4 == reference.peers4, "seed \(seed)")
            #expect(cut.peers6 == reference.peers6, "seed \(seed)")
            #expect(cut.parts.map(\.peerClass) == reference.numbers, "seed \(seed)")
            #expect(cut.parts.map(\.groups) == reference.classes, "seed \(seed)")
        }
    }

    @Test(arguments: Seeds.all)
    func `an earlier one is taken over for equal groups only`(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<300 {
            let groups = Self.groups(&random, ofFamily: 0...3)
            let cut = Cut(of: groups) { _ in 1 }
            #expect(cut.holds(for: Self.copies(of: groups)) { _ in 1 })
            let others = Self.groups(&random, ofFamily: 0...3)
            let isEqual =
                groups.map(\.addresses) == others.map(\.addresses)
                && groups.map(\.description) == others.map(\.description)
            #expect(cut.holds(for: others) { _ in 1 } == isEqual)
        }
    }

    private static func copies(of groups: [PeerAddresses]) -> [PeerAddresses] {
        groups.map { PeerAddresses($0.addresses, description: $0.description) }
    }

    /// Groups of small numbers, and of the last ones, where they meet often.
    private static func groups(
        _ random: inout SeededGenerator, ofFamily count: ClosedRange<Int>
    ) -> [PeerAddresses] {
        (0..<random.number(count)).map { index in
            let v4 = random.list(0...4) { random in
                let (one, other) = (random.number(0...40), random.number(0...40))
                return UInt32(min(one, other))...UInt32(max(one, other))
            }
            let v6 = random.list(0...2) { random in
                UInt128.max - UInt128(random.number(10...20))...UInt128.max
                    - UInt128(random.number(0...10))
            }
            return PeerAddresses(
                AddressSet(v4: IntervalSet(v4), v6: IntervalSet(v6)), description: "g\(index)")
        }
    }

    /// A list of networks, and all the rest of the addresses but for some.
    private static func large(_ holes: [UInt32], listed: Int = 6_000) -> [PeerAddresses] {
        let list = IntervalSet((0..<UInt32(listed)).map { $0 * 4...$0 * 4 + 1 })
        let rest = IntervalSet<UInt32>.all.subtracting(IntervalSet(holes.map { $0...$0 }))
        return [
            PeerAddresses(AddressSet(v4: list), description: "list"),
            PeerAddresses(AddressSet(v4: rest), description: "rest"),
        ]
    }

    @Test func `one address moves a part of a large class`() {
        let before = Cut(of: Self.large([9])) { _ in 1 }
        let after = Cut(of: Self.large([9, 8_001])) { _ in 1 }
        #expect(before.peers4.count > 12_000)
        let kept = Set(before.peers4).intersection(after.peers4)
        #expect(before.peers4.count - kept.count < 4_000)
        #expect(before.parts.count < 60)
    }

    @Test(arguments: Seeds.all)
    func `a number means the same addresses in every cut`(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var meanings: [Mark: Set<ClosedRange<UInt32>>] = [:]
        for _ in 0..<8 {
            let holes = random.list(1...4) { UInt32($0.number(0...24_000)) }
            let cut = Cut(of: Self.large(holes)) { _ in 1 }
            let found = Dictionary(grouping: cut.peers4, by: \.peerClass)
            #expect(Set(cut.parts.map(\.peerClass)) == Set(found.keys))
            for (mark, ranges) in found {
                let meaning = Set(ranges.map(\.addresses))
                #expect(meanings[mark] ?? meaning == meaning, "seed \(seed)")
                meanings[mark] = meaning
            }
        }
    }

    @Test func `parts are longer where each has many admissions`() {
        let few = Cut(of: Self.large([9])) { _ in 1 }
        let many = Cut(of: Self.large([9])) { _ in 400 }
        #expect(few.parts.count > 10 && many.parts.count == 3)
        #expect(!few.holds(for: Self.large([9])) { _ in 400 })
    }
}

/// The plain way: the groups of every address that matters, run by run.
private struct ReferenceCut {
    var peers4: [PeerRange<UInt32>] = []
    var peers6: [PeerRange<UInt128>] = []
    var classes: [[Int]] = []
    var numbers: [Mark] = []

    init(_ groups: [PeerAddresses]) {
        let v4 = Self.runs(0...45, of: groups.map(\.addresses.v4))
        let v6 = Self.runs(UInt128.max - 25...UInt128.max, of: groups.map(\.addresses.v6))
        var digests: [[Int]: Digest] = [:]
        for run in v4.map(\.groups) + v6.map(\.groups) where digests[run] == nil {
            digests[run] = Digest()
            classes.append(run)
        }
        for (range, groups) in v4 {
            digests[groups]?.combine(byte: 4)
            digests[groups]?.combine(range.lowerBound)
            digests[groups]?.combine(range.upperBound)
        }
        for (range, groups) in v6 {
            digests[groups]?.combine(byte: 16)
            digests[groups]?.combine(range.lowerBound)
            digests[groups]?.combine(range.upperBound)
        }
        numbers = classes.map { Mark.peerClass(hash: digests[$0]?.value ?? 0) }
        let marks = Dictionary(uniqueKeysWithValues: zip(classes, numbers))
        func comment(_ members: [Int]) -> String {
            members.map { groups[$0].description }.joined(separator: " & ")
        }
        for (range, groups) in v4 {
            guard let mark = marks[groups] else { continue }
            peers4.append(
                PeerRange(addresses: range, peerClass: mark, comment: comment(groups)))
        }
        for (range, groups) in v6 {
            guard let mark = marks[groups] else { continue }
            peers6.append(
                PeerRange(addresses: range, peerClass: mark, comment: comment(groups)))
        }
    }

    private static func runs<Number>(
        _ numbers: ClosedRange<Number>, of groups: [IntervalSet<Number>]
    ) -> [(range: ClosedRange<Number>, groups: [Int])] where Number.Stride: SignedInteger {
        var runs: [(range: ClosedRange<Number>, groups: [Int])] = []
        var number = numbers.lowerBound
        while true {
            let members = groups.indices.filter { groups[$0].contains(number) }
            if let last = runs.last, last.groups == members, last.range.upperBound + 1 == number {
                runs[runs.count - 1].range = last.range.lowerBound...number
            } else if !members.isEmpty {
                runs.append((number...number, members))
            }
            if number == numbers.upperBound { return runs }
            number += 1
        }
    }
}
