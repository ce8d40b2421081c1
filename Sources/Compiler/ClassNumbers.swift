internal import NetTypes
internal import Policy
internal import Rules

/// Gives each class a number that depends only on the words by which rules speak of its peers.
///
/// A new class moves no other, and neither a change of rules nor of the peers' addresses moves a
/// class: each admission that is keyed anew costs the kernel a walk over all of them
/// (`nft_pipapo_remove`).
struct ClassNumbers {
    private(set) var numbers: [(groups: Classes.Groups, peerClass: Mark)] = []
    private var known: [Classes.Groups: (peerClass: Mark, comment: String)] = [:]
    private var taken: Set<Mark> = []
    private let descriptions: [String]

    init(grants: [Grant], grantsOfGroup: [[Int]]) {
        descriptions = grantsOfGroup.map { members in
            members.first.map { grants[$0].peers.description } ?? ""
        }
    }

    mutating func range<Number>(_ segment: Classes.Segment<Number>) -> PeerRange<Number> {
        let number = number(of: segment.groups)
        return PeerRange(
            addresses: segment.addresses, peerClass: number.peerClass, comment: number.comment)
    }

    private mutating func number(
        of groups: Classes.Groups
    ) -> (peerClass: Mark, comment: String) {
        if let number = known[groups] { return number }
        var digest = Digest()
        for description in groups.map({ descriptions[$0] }).sorted() {
            digest.combine(description)
        }
        var peerClass = Mark.peerClass(hash: digest.value)
        while taken.contains(peerClass) {
            digest.combine(byte: 0xff)
            peerClass = Mark.peerClass(hash: digest.value)
        }
        taken.insert(peerClass)
        numbers.append((groups, peerClass))
        let comment = String(groups.map { descriptions[$0] }.joined(separator: " & ").prefix(100))
        known[groups] = (peerClass, comment)
        return (peerClass, comment)
    }
}
