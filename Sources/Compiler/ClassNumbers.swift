internal import NetTypes
internal import Policy
internal import Rules

/// Gives each class a number that depends on its addresses, and on nothing else.
///
/// So a number means the same addresses before a change and after it, and a packet that is judged in
/// the middle finds either the old class of its peer with all that it was admitted, or the new one with
/// all that it is. An address that comes or goes moves no more admissions than it must: the marks of the
/// rules that speak of the class change with it.
struct ClassNumbers {
    /// Each class with its number, in the order of its first address.
    private(set) var numbers: [(groups: Classes.Groups, peerClass: Mark)] = []
    private var known: [Classes.Groups: (peerClass: Mark, comment: String)] = [:]

    /// The descriptions are those of the groups.
    init(
        _ v4: [Classes.Segment<UInt32>], _ v6: [Classes.Segment<UInt128>],
        descriptions: [String]
    ) {
        var order: [Classes.Groups] = []
        var digests: [Classes.Groups: Digest] = [:]
        func note<Number>(_ segments: [Classes.Segment<Number>]) {
            for segment in segments {
                if digests[segment.groups] == nil { order.append(segment.groups) }
                digests[segment.groups, default: Digest()].combine(segment.addresses)
            }
        }
        note(v4)
        note(v6)
        var taken: Set<Mark> = []
        for groups in order {
            guard var digest = digests[groups] else { continue }
            var peerClass = Mark.peerClass(hash: digest.value)
            while !taken.insert(peerClass).inserted {
                digest.combine(byte: 0xff)
                peerClass = Mark.peerClass(hash: digest.value)
            }
            numbers.append((groups, peerClass))
            let comment = groups.map { descriptions[$0] }.joined(separator: " & ").prefix(100)
            known[groups] = (peerClass, String(comment))
        }
    }

    /// The range of a segment; nil where it isn't one of those that were given.
    func range<Number>(_ segment: Classes.Segment<Number>) -> PeerRange<Number>? {
        known[segment.groups].map {
            PeerRange(
                addresses: segment.addresses, peerClass: $0.peerClass, comment: $0.comment)
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
