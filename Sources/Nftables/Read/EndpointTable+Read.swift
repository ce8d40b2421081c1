internal import CNetfilter
internal import NetTypes
public import Rules

extension EndpointTable {
    /// Reads everything that the namespace holds of our table; nil when there is no table.
    public func read() throws(NftablesError) -> TableReading? {
        guard let table = try commands.get(NFT_MSG_GETTABLE, build: Question.table) else {
            return nil
        }
        let owner = table.attributes.first(UInt16(NFTA_TABLE_OWNER.rawValue))?.number
        let program = try ProgramReading(of: self)
        let damage = program.damage
        var reading = TableReading(
            isIntact: damage == nil, damage: damage,
            owner: owner.map { UInt32(truncatingIfNeeded: $0) }, state: .closed,
            counts: TableCounts(totals: program.totals, unkept: program.unkept))
        guard damage == nil else { return reading }
        try readState(into: &reading)
        try readRefusals(into: &reading.counts)
        return reading
    }

    /// Whether the table is there and owned by this socket: nobody else can have changed it then.
    public func isOwned() throws(NftablesError) -> Bool { try standing() == .ours }

    /// Whose the table is.
    public enum Standing: Hashable, Sendable {
        case absent
        case ours
        case others(port: UInt32)
        /// An agent made it, and is gone.
        case orphaned
        /// It has no owner, and would not outlive one (NFT_TABLE_F_PERSIST): no agent made it, and the
        /// kernel lets nobody take it over.
        case strange
    }

    /// Whether the table has neither chains nor sets, nor anything else.
    func isEmpty() throws(NftablesError) -> Bool {
        let table = try commands.get(NFT_MSG_GETTABLE, build: Question.table)
        return table?.attributes.first(UInt16(NFTA_TABLE_USE.rawValue))?.number == 0
    }

    /// Asks the kernel whose the table is, and nothing of what is in it.
    public func standing() throws(NftablesError) -> Standing {
        guard let table = try commands.get(NFT_MSG_GETTABLE, build: Question.table) else {
            return .absent
        }
        if let owner = table.attributes.first(UInt16(NFTA_TABLE_OWNER.rawValue))?.number {
            return owner == UInt64(port) ? .ours : .others(port: UInt32(truncatingIfNeeded: owner))
        }
        let flags = table.attributes.first(UInt16(NFTA_TABLE_FLAGS.rawValue))?.number ?? 0
        return flags & UInt64(Batch.persist) == 0 ? .strange : .orphaned
    }

    /// Reads the counters alone.
    public func counts() throws(NftablesError) -> TableCounts { try remains().counts }

    /// Reads the counters and the live rules that they belong to, of a damaged table as well.
    public func remains() throws(NftablesError) -> TableReading {
        let program = try ProgramReading(countersOf: self)
        var reading = TableReading(
            isIntact: true, damage: nil, owner: nil, state: .closed,
            counts: TableCounts(totals: program.totals, unkept: program.unkept))
        try readRules(into: &reading)
        try readRefusals(into: &reading.counts)
        return reading
    }

    /// Reads what those rules have counted that go with a change, and perhaps of others.
    ///
    /// Asks for their elements alone: to list the maps of two hundred rules takes 3 ms, which
    /// would be most of what a change takes.
    public func ruleCounts(goingWith changes: Changeset) throws(NftablesError) -> [Mark: RuleCount]
    {
        typealias Name = Program.SetName
        let going = Set(changes.rules.removed.map(\.mark))
        var counts: [Mark: RuleCount] = [:]
        let rules = changes.rules.removed.flatMap(Element.elements)
        for element in try elements(like: rules, of: Name.rules) {
            counts[element.hostMark, default: RuleCount()].traffic += element.count
        }
        let admissions = Admission.Kind.allCases.flatMap { kind in
            [
                (kind.map(.ingress), changes.ingress.only(kind)),
                (kind.map(.egress), changes.egress.only(kind)),
            ]
        }
        for (set, delta) in admissions {
            let own = delta.removed.filter { going.contains($0.rule) }
            for element in try elements(like: own.flatMap(Element.elements), of: set) {
                guard let admission = element.admission else { continue }
                counts[admission.rule, default: RuleCount()].admit(element.count.packets)
            }
        }
        for element in try elements(of: Name.rejudged) {
            guard let counted = counts[element.hostMark]?.flows else { continue }
            counts[element.hostMark]?.flows = counted - min(counted, element.count.packets)
        }
        return counts
    }

    /// The elements with the keys of others; all there are where those are too many for a question.
    private func elements(
        like others: [Element], of name: String
    ) throws(NftablesError) -> [ReadElement] {
        if others.isEmpty { return [] }
        guard others.count <= Question.mostElements else { return try elements(of: name) }
        let found = try commands.getAll(.tables(NFT_MSG_GETSETELEM)) { header in
            Question.put(others.map { Element(key: $0.key, keyEnd: $0.keyEnd) }, of: name, header)
        }
        // One that isn't there leaves the rest of the question unanswered.
        guard let found else { return try elements(of: name) }
        return ReadElement.all(in: found)
    }

    private func readState(into reading: inout TableReading) throws(NftablesError) {
        typealias Name = Program.SetName
        for (set, length) in [(Name.own4, 4), (Name.own6, 16)] {
            let found = try elements(of: set)
            hold(found, of: set, in: &reading) { $0.isPlain(length) }
            reading.state.own += found.compactMap { IPAddress(bytes: $0.key) }
        }
        reading.state.own.sort()
        let (peers4, peers6) = (try elements(of: Name.peers4), try elements(of: Name.peers6))
        hold(peers4, of: Name.peers4, in: &reading) { $0.isInterval(4) }
        hold(peers6, of: Name.peers6, in: &reading) { $0.isInterval(16) }
        guard reading.isIntact else { return }
        reading.state.peers4 = Self.ranges(peers4)
        reading.state.peers6 = Self.ranges(peers6)
        try readRules(into: &reading)
        reading.state.ingress.sort()
        reading.state.egress.sort()
    }

    /// The live rules with their counters, and the flows that each of them admitted.
    private func readRules(into reading: inout TableReading) throws(NftablesError) {
        typealias Name = Program.SetName
        let rules = try elements(of: Name.rules)
        hold(rules, of: Name.rules, in: &reading) {
            $0.isPlain(4) && $0.accepts && $0.comment.flatMap(LiveRule.init(comment:)) != nil
        }
        reading.state.rules = RuleTable(
            rules.compactMap { element in
                guard element.accepts, let comment = element.comment else { return nil }
                return LiveRule(comment: comment).map { (mark: element.hostMark, rule: $0) }
            })
        for element in rules {
            reading.counts.rules[element.hostMark, default: RuleCount()].traffic += element.count
        }
        let maps = Admission.Kind.allCases.flatMap { kind in
            [
                (kind.map(.ingress), \EndpointState.ingress, kind),
                (kind.map(.egress), \EndpointState.egress, kind),
            ]
        }
        for (map, direction, kind) in maps {
            let found = try elements(of: map)
            hold(found, of: map, in: &reading) {
                !$0.isStrange && $0.admission != nil && $0.data?.count == 4
            }
            for element in found {
                guard let plain = element.admission else { continue }
                let admission = kind == .dhcp ? plain.ofDHCP ?? plain : plain
                if admission.kind != kind {
                    reading.isIntact = false
                    reading.damage = "map \(map) holds what belongs into another"
                }
                reading.state[keyPath: direction].append(admission)
                reading.counts.rules[admission.rule, default: RuleCount()].admit(
                    element.count.packets)
            }
        }
        for element in try elements(of: Name.rejudged) {
            guard let counted = reading.counts.rules[element.hostMark]?.flows else { continue }
            reading.counts.rules[element.hostMark]?.flows =
                counted - min(counted, element.count.packets)
        }
    }

    /// What no agent writes decides about packets as well, and a look for what agents write doesn't see
    /// it: such a table is not as it should be.
    private func hold(
        _ elements: [ReadElement], of set: String, in reading: inout TableReading,
        _ isOurs: (ReadElement) -> Bool
    ) {
        guard reading.isIntact, !elements.allSatisfy(isOurs) else { return }
        reading.isIntact = false
        reading.damage = "set \(set) has elements that no agent makes"
    }

    func readRefusals(into counts: inout TableCounts) throws(NftablesError) {
        for reason in Refusal.allCases where counts.totals[reason]?.packets != 0 {
            for (digit, family) in [(4, AddressFamily.v4), (6, .v6)] {
                for element in try elements(of: reason.setName(digit)) {
                    guard let flow = element.refusedFlow(reason, family) else { continue }
                    // A set that grows while it is listed may list a flow twice.
                    let known = counts.refused[flow] ?? .zero
                    if element.count.packets >= known.packets {
                        counts.refused[flow] = element.count
                    }
                }
            }
        }
    }

    func elements(of set: String) throws(NftablesError) -> [ReadElement] {
        ReadElement.all(in: try list(NFT_MSG_GETSETELEM, build: Question.elements(of: set)))
    }

    /// Lists something of our table alone.
    ///
    /// Whoever is root in the namespace can change other tables without a pause, and the kernel marks every
    /// list as interrupted then. While we own the table nobody changed anything in it, so such a list is
    /// whole. It has to be restricted to the table by the question: the kernel finds the place where it goes
    /// on by counting what it listed.
    func list(
        _ type: nf_tables_msg_types, build: (UnsafeMutablePointer<nlmsghdr>) -> Void
    ) throws(NftablesError) -> [Message] {
        try commands.dump(
            .tables(type), isSteady: { () throws(NftablesError) in try isOwned() }, build: build)
    }

    /// Pairs the first keys of intervals with the keys behind them.
    static func ranges<Number: FixedWidthInteger & UnsignedInteger & Sendable>(
        _ elements: [ReadElement]
    ) -> [PeerRange<Number>] {
        let sorted = elements.map { (number: Number(networkBytes: $0.key), element: $0) }
            .sorted {
                ($0.number, $0.element.endsInterval ? 0 : 1) < (
                    $1.number, $1.element.endsInterval ? 0 : 1
                )
            }
        var ranges: [PeerRange<Number>] = []
        for (index, item) in sorted.enumerated() where !item.element.endsInterval {
            let next = index + 1 < sorted.count ? sorted[index + 1].number : nil
            let last = next.map { $0 > item.number ? $0 - 1 : item.number } ?? Number.max
            ranges.append(
                PeerRange(
                    addresses: item.number...last, peerClass: item.element.markData,
                    comment: item.element.comment ?? ""))
        }
        return ranges
    }
}
