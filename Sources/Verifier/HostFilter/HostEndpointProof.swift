internal import NetTypes
internal import Policy

/// Holds what the maps say to every first packet of one endpoint against what the policies say.
///
/// From the maps comes for every address, and every sender that the host knows by its veth, a
/// class, and for every class which protocols and ports are admitted by which rule: the programs'
/// lookups spelled out. Both sides are cut at every constant of either.
struct HostEndpointProof {
    let index: HostIndex
    let policies: PolicyIndex
    let place: Int
    let number: UInt32
    let entry: HostEntry
    let interface: String
    /// The addresses that policies give the endpoint, and those that the programs let it have.
    let own: Set<UInt128>
    let known: Set<UInt128>
    let groups: [AddressFamily: [Direction: PolicyGroups]]
    var findings: [HostFilterFinding] = []
    var unproven: [Unproven] = []
    /// How many kinds of packets were held against each other.
    var kinds = 0
    var compared: [Pair: [Difference]] = [:]
    var kernel: [HostClassKey: HostClass] = [:]
    var ruleOf: [UInt32: Credited] = [:]
    var markOf: [Credited: UInt32] = [:]
    var reported: Set<FindingKey> = []

    /// What single addresses and networks mean where nobody is known to send.
    let segments: [AddressFamily: Segments]

    static let findingLimit = 64

    /// Addresses of a family by their class.
    struct Segments {
        let table: RangeTable
        /// By the places of the table.
        let classes: [UInt32]

        func peerClass(of address: UInt128) -> UInt32 {
            table.place(of: address).map { classes[$0] } ?? 0
        }
    }

    init(
        _ index: HostIndex, _ policies: PolicyIndex, _ post: HostPost, _ number: UInt32,
        _ entry: HostEntry
    ) {
        self.index = index
        self.policies = policies
        place = post.endpoint
        self.number = number
        self.entry = entry
        interface = post.name
        own = index.addresses[place] ?? []
        known = entry.addresses ?? index.state.own[number] ?? []
        let openings = policies.openings(of: place)
        var groups: [AddressFamily: [Direction: PolicyGroups]] = [:]
        for family in AddressFamily.allCases {
            for direction in Direction.allCases {
                groups[family, default: [:]][direction] =
                    PolicyGroups(openings, direction, family)
            }
        }
        self.groups = groups
        segments = Dictionary(
            uniqueKeysWithValues: AddressFamily.allCases.map { family in
                // Single addresses before networks, and of those the longest.
                let single = index.peers(of: number).filter { $0.key.sender == 0 }
                    .map { (range: $0.key.address...$0.key.address, peerClass: $0.peerClass) }
                let all = single + index.networks(of: number, family)
                let claims = all.enumerated().map {
                    RangeTable.Segment(range: $1.range, place: $0)
                }
                return (
                    family,
                    Segments(table: RangeTable(lowestOf: claims), classes: all.map(\.peerClass))
                )
            })
    }

    /// A rule at this end of its flows: it has one mark here.
    struct Credited: Hashable {
        let rule: RuleID
        let direction: Direction
    }

    /// What the maps and the policies make of the same packets.
    struct Pair: Hashable {
        let peerClass: UInt32
        let answers: Answers?
        let family: AddressFamily
        let direction: Direction
    }

    /// Rules for a group of addresses; of its family by their numbers.
    struct Answers: Hashable {
        let family: AddressFamily
        let group: Int
    }

    struct Difference {
        let kind: HostFilterFinding.Kind
        let ipProtocol: UInt8
        let port: UInt16
        let rule: Rule?
        let admission: HostAdmission?
    }

    struct FindingKey: Hashable {
        let kind: HostFilterFinding.Kind
        let direction: Direction
        let rule: RuleID?
        let mark: UInt32?
        let isKnown: Bool
    }

    mutating func run() {
        holdOwn()
        for family in AddressFamily.allCases {
            // From 0.0.0.0 an endpoint without an address may look for a DHCP server.
            if family == .v4 || own.contains(where: { HostAddress.address($0).family == family }) {
                holdAddresses(.egress, family)
            }
            holdAddresses(.ingress, family)
        }
        for (sender, holders) in index.holders.sorted(by: { $0.key < $1.key }) {
            if holders.count == 1, let holder = holders.first { holdSender(sender, holder) }
        }
        for (key, shape) in index.state.shapes
        where key.endpoint == number && shape >> 25 != 0 {
            report(
                Unproven(
                    reason: "shapes of class \(hex(key.peerClass)) have bits that mean nothing",
                    fix: "restart the agent, which writes them anew"))
        }
    }

    /// Addresses by themselves: those that are called, and callers whom nobody vouches for.
    private mutating func holdAddresses(_ direction: Direction, _ family: AddressFamily) {
        // What an endpoint sends itself never leaves it.
        let mine = set(own.union(known))
        var domain = HostAddress.all(family).subtracting(mine)
        guard let segments = segments[family] else { return }
        if direction == .ingress {
            holdLocals(family, segments)
            domain = domain.subtracting(set(index.locals.union(index.state.locals)))
        }
        let (found, rest) = segments.table.parts(of: domain)
        var parts = found.map { (peerClass: segments.classes[$0.place], numbers: $0.numbers) }
        parts.append((0, rest))
        for (peerClass, addresses) in parts where !addresses.isEmpty {
            let plain = HostAddress.plain(addresses, family)
            for (group, members) in groups[family]?[direction]?.parts(of: plain) ?? [] {
                guard let first = members.ranges.first?.lowerBound else { continue }
                let address = family == .v4 ? HostAddress.mapped.lowerBound | first : first
                hold(
                    peerClass, group.map { Answers(family: family, group: $0) }, family, direction,
                    0, address)
            }
        }
    }

    /// Without its mark a local address is refused.
    private mutating func holdLocals(_ family: AddressFamily, _ segments: Segments) {
        let differing = index.locals.symmetricDifference(index.state.locals)
            .subtracting(own.union(known))
        for address in differing.sorted() where HostAddress.address(address).family == family {
            if index.locals.contains(address) {
                hold(
                    segments.peerClass(of: address), nil, family, .ingress, 0, address,
                    "a local endpoint's address has to come through its veth")
            } else {
                hold(0, answers(address, .ingress), family, .ingress, 0, address)
            }
        }
    }

    /// Callers who are known by the veth that their packets came through.
    private mutating func holdSender(_ sender: UInt32, _ holder: Int) {
        let addresses = index.addresses[holder] ?? []
        let entries = index.peers(of: number).filter { $0.key.sender == sender }
        // Behind a translation by the host a sender is still who it is.
        let translated = lowest(addresses)
        let anyClass = index.peerClass(at: number, sender: sender, 0)
        let special = addresses.union(entries.map(\.key.address).filter { $0 != 0 })
            .union(index.locals.symmetricDifference(index.state.locals))
            .subtracting(own.union(known))
        for address in special.sorted() {
            let exact = index.peerClass(at: number, sender: sender, address)
            let peerClass =
                exact != 0 ? exact : index.state.locals.contains(address) ? 0 : anyClass
            let family = HostAddress.address(address).family
            if addresses.contains(address) {
                hold(peerClass, answers(address, .ingress), family, .ingress, sender, address)
            } else if index.locals.contains(address) {
                hold(
                    peerClass, nil, family, .ingress, sender, address,
                    "it is another endpoint's address")
            } else {
                hold(peerClass, translated, family, .ingress, sender, address)
            }
        }
        for family in AddressFamily.allCases {
            // An address of nobody: RFC 2544 and RFC 5180.
            let nobody: IPAddress = family == .v4 ? .v4(0xc612_0001) : .v6(0x2001_0002 << 96 | 1)
            let address = HostAddress.number(nobody)
            if special.contains(address) { continue }
            hold(anyClass, translated, family, .ingress, sender, address)
        }
    }

    /// What policies say to an endpoint whatever address it has got: as to its lowest one of which
    /// they speak.
    func lowest(_ addresses: Set<UInt128>) -> Answers? {
        for address in addresses.map(HostAddress.address).sorted() {
            let number = HostAddress.number(address)
            if let found = answers(number, .ingress) { return found }
            if answers(number, .egress) != nil { return nil }
        }
        return nil
    }

    /// The rules that speak of an address.
    func answers(_ address: UInt128, _ direction: Direction) -> Answers? {
        let family = HostAddress.address(address).family
        let plain = family == .v4 ? address - HostAddress.mapped.lowerBound : address
        return groups[family]?[direction]?.group(of: plain)
            .map { Answers(family: family, group: $0) }
    }
}

func hex(_ number: UInt32) -> String { "0x" + String(number, radix: 16) }

func set(_ numbers: some Sequence<UInt128>) -> IntervalSet<UInt128> {
    IntervalSet(numbers.map { $0...$0 })
}
