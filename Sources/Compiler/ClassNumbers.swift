internal import NetTypes
internal import Policy
internal import Rules

/// Gives each class a number that depends on its rules only, so that a new class moves no other.
struct ClassNumbers {
    private let grants: [Grant]
    private let grantsOfGroup: [[Int]]
    private(set) var numbers: [(groups: Classes.Groups, peerClass: Mark)] = []
    private var known: [Classes.Groups: (peerClass: Mark, comment: String)] = [:]
    private var taken: Set<Mark> = []
    private let descriptions: [String]

    init(grants: [Grant], grantsOfGroup: [[Int]]) {
        self.grants = grants
        self.grantsOfGroup = grantsOfGroup
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
        for grant in groups.flatMap({ grantsOfGroup[$0] }).sorted().map({ grants[$0] }) {
            digest.combine(grant.rule.id.rawValue)
            digest.combine(byte: grant.direction == .ingress ? 0 : 1)
            grant.service.hash(into: &digest)
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
