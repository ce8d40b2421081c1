internal import NetTypes
internal import Policy
internal import Rules

/// The addresses of an endpoint's peers, cut into classes that have numbers.
///
/// A number depends on the addresses of its class and on nothing else. So it means the same addresses
/// before a change and after it, and a packet that is judged in the middle finds either the old class of
/// its peer with all that it was admitted, or the new one with all that it is. An address that comes or
/// goes moves no more admissions than it must: the marks of the rules that speak of the class change with it.
///
/// A class of very many ranges has several numbers, one for each part of it. Otherwise one address more
/// or less, as where a namespace is taken out of the world, would move every range of a list of a
/// hundred thousand. Where a part begins depends on the address there alone, so a change moves one part.
struct Cut: Sendable {
    /// A class, or a part of one.
    struct Part: Sendable {
        let groups: Classes.Groups
        let peerClass: Mark
    }

    /// In the order of their first addresses; the parts of a class have equal groups.
    let parts: [Part]
    let peers4: [PeerRange<UInt32>]
    let peers6: [PeerRange<UInt128>]
    private let groups: [PeerAddresses]
    /// How long the parts of the large classes are.
    private let lengths: [Classes.Groups: Int]

    /// How many ranges a class may have in one part.
    static let greatestWhole = 1024

    /// - Parameters:
    ///   - groups: The distinct sets of peers.
    ///   - weight: How many admissions a class of some groups has, about: parts are so long that those
    ///     of all of them are an eighth of the ranges at most.
    init(of groups: [PeerAddresses], weight: (Classes.Groups) -> Int) {
        self.groups = groups
        let classes = Classes(of: groups.map(\.addresses))
        var numbering = PartNumbering(classes, weight)
        let parts4 = numbering.parts(of: classes.v4)
        let parts6 = numbering.parts(of: classes.v6)
        lengths = numbering.lengths
        let marks = numbering.marks
        parts = zip(numbering.classes, marks).map {
            Part(groups: classes.members[$0], peerClass: $1)
        }
        let comments = classes.members.map { members in
            // No comment is longer, so those of further groups don't matter.
            String(
                members.prefix(PeerList.greatestSummary).map { groups[$0].description }
                    .joined(separator: " & ").prefix(100))
        }
        peers4 = Self.ranges(classes.v4, parts4, marks, comments)
        peers6 = Self.ranges(classes.v6, parts6, marks, comments)
    }

    private static func ranges<Number>(
        _ segments: [Classes.Segment<Number>], _ parts: [Int32], _ marks: [Mark],
        _ comments: [String]
    ) -> [PeerRange<Number>] {
        zip(segments, parts).map { segment, part in
            PeerRange(
                addresses: segment.addresses, peerClass: marks[Int(part)],
                comment: comments[segment.peerClass])
        }
    }

    /// Whether the same groups would be cut the same way.
    func holds(for others: [PeerAddresses], weight: (Classes.Groups) -> Int) -> Bool {
        groups.count == others.count
            && zip(groups, others).allSatisfy {
                $0.hasAddresses(of: $1) && $0.description == $1.description
            }
            && lengths.allSatisfy { $1 == PartNumbering.length(weight($0)) }
    }
}

/// Parts classes, and gives the parts their numbers.
private struct PartNumbering {
    /// The class of each part.
    private(set) var classes: [Int] = []
    private var digests: [Digest] = []
    /// How long parts are, for classes that have several.
    private(set) var lengths: [Classes.Groups: Int] = [:]
    /// By class: how many of the high bits of a hash have to be 0 where a part begins; nil where
    /// it has one part.
    private var bits: [Int?]

    init(_ classes: Classes, _ weight: (Classes.Groups) -> Int) {
        var counts = Array(repeating: 0, count: classes.members.count)
        for segment in classes.v4 { counts[segment.peerClass] += 1 }
        for segment in classes.v6 { counts[segment.peerClass] += 1 }
        bits = Array(repeating: nil, count: counts.count)
        for (index, count) in counts.enumerated() where count > Cut.greatestWhole {
            let length = Self.length(weight(classes.members[index]))
            lengths[classes.members[index]] = length
            if count > 2 * length { bits[index] = length.trailingZeroBitCount }
        }
    }

    /// A power of two.
    static func length(_ weight: Int) -> Int {
        var length = Cut.greatestWhole / 2
        while length < 8 * weight { length *= 2 }
        return length
    }

    /// The part of each segment of a family.
    mutating func parts<Number>(of segments: [Classes.Segment<Number>]) -> [Int32] {
        // A class has no part yet, or goes on with the one that the other family began.
        var current = Array(repeating: Int32(-1), count: bits.count)
        for (part, index) in classes.enumerated() where bits[index] == nil {
            current[index] = Int32(part)
        }
        return segments.map { segment in
            let index = segment.peerClass
            if current[index] < 0 || begins(segment.addresses.lowerBound, index) {
                current[index] = Int32(classes.count)
                classes.append(index)
                digests.append(Digest())
            }
            digests[Int(current[index])].combine(segment.addresses)
            return current[index]
        }
    }

    private func begins(_ number: some FixedWidthInteger, _ index: Int) -> Bool {
        guard let bits = bits[index] else { return false }
        let folded =
            UInt64(truncatingIfNeeded: number) ^ UInt64(truncatingIfNeeded: (number >> 32) >> 32)
        // Multiplication by 2^64 divided by the golden ratio spreads neighbours over the high bits.
        return (folded &* 0x9e37_79b9_7f4a_7c15) >> (64 - UInt64(bits)) == 0
    }

    /// A number for each part.
    var marks: [Mark] {
        var taken: Set<Mark> = []
        return digests.map { digest in
            var digest = digest
            var mark = Mark.peerClass(hash: digest.value)
            while !taken.insert(mark).inserted {
                digest.combine(byte: 0xff)
                mark = Mark.peerClass(hash: digest.value)
            }
            return mark
        }
    }
}

extension Digest {
    fileprivate mutating func combine<Number: FixedWidthInteger & UnsignedInteger>(
        _ range: ClosedRange<Number>
    ) {
        combine(byte: UInt8(Number.bitWidth / 8))
        combine(range.lowerBound)
        combine(range.upperBound)
    }
}
