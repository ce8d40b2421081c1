internal import Collections
internal import NetTypes
internal import OrderedCollections
internal import Reports
internal import Rules

/// Every refused flow that is remembered, and the totals of all that ever were.
///
/// The kernel's counters only grow while a flow stays in its set; the book adds what each reading
/// shows beyond the last one, so a total never goes back and counts nothing twice.
struct RefusalBook: Codable {
    struct Key: Hashable, Codable {
        let endpoint: NamespaceID
        let flow: RefusedFlow
    }

    /// Who stood at the ends of a refused flow, and which way it went, when it was first seen.
    struct Attribution: Hashable, Codable {
        let source: ViolationEnd
        let destination: ViolationEnd
        let sourceParty: PartyName
        let destinationParty: PartyName
        let direction: Direction
        let reason: RefusalReason
    }

    struct Record: Codable {
        let key: Key
        let first: Timestamp
        var last: Timestamp
        var count: Count
        let generation: UInt64
        let attribution: Attribution
    }

    struct Pair: Hashable, Codable {
        let source: PartyName
        let destination: PartyName
        let direction: Direction
        let reason: RefusalReason
    }

    private(set) var totals: [Pair: Tally] = [:]
    private(set) var records: OrderedDictionary<Key, Record> = [:]
    /// All packets of all totals.
    private(set) var packets: UInt64 = 0
    /// How many records had to make room.
    private(set) var forgotten: UInt64 = 0
    /// What the last reading showed of the flows that are still in the kernel's sets.
    private var seen: [Key: Count] = [:]
    private var limit: Int

    init(limit: Int) { self.limit = limit }

    /// Takes one reading of an endpoint's sets; gives the flows that were not known before.
    mutating func take(
        _ flows: [RefusedFlow: Count], of endpoint: NamespaceID, at now: Timestamp,
        generation: UInt64, attribute: (RefusedFlow) -> Attribution
    ) -> [Key] {
        var new: [Key] = []
        for (flow, count) in flows.sorted(by: { $0.key.isBefore($1.key) }) {
            let key = Key(endpoint: endpoint, flow: flow)
            let before = seen[key] ?? .zero
            // A count that is lower than before belongs to an element that was made anew.
            let more = count.packets < before.packets ? count : count.subtracting(before)
            seen[key] = count
            guard more.packets > 0 else { continue }
            if credit(more, to: key, at: now, generation: generation, attribute) { new.append(key) }
        }
        return new
    }

    /// The flows have left the kernel's sets.
    mutating func leave(_ flows: some Sequence<RefusedFlow>, of endpoint: NamespaceID) {
        for flow in flows { seen[Key(endpoint: endpoint, flow: flow)] = nil }
    }

    /// The endpoint's table is gone.
    mutating func leave(_ endpoint: NamespaceID) {
        seen = seen.filter { $0.key.endpoint != endpoint }
    }

    private mutating func credit(
        _ more: Count, to key: Key, at now: Timestamp, generation: UInt64,
        _ attribute: (RefusedFlow) -> Attribution
    ) -> Bool {
        let known = records[key] != nil
        let attribution = records[key]?.attribution ?? attribute(key.flow)
        let pair = Pair(
            source: attribution.sourceParty, destination: attribution.destinationParty,
            direction: attribution.direction, reason: attribution.reason)
        let tally = Tally(packets: more.packets, bytes: more.bytes, flows: known ? 0 : 1)
        totals[pair] = (totals[pair] ?? Tally()) + tally
        packets += more.packets
        if known {
            records[key]?.count += more
            records[key]?.last = now
        } else {
            records[key] = Record(
                key: key, first: now, last: now, count: more, generation: generation,
                attribution: attribution)
            makeRoom()
        }
        return !known
    }

    /// Drops the oldest quarter at once: dropping one at a time would cost as much each time.
    private mutating func makeRoom() {
        guard records.count > limit else { return }
        let surplus = max(limit / 4, 1)
        forgotten += UInt64(surplus)
        records.removeFirst(surplus)
    }
}

extension RefusedFlow {
    /// Some order that doesn't depend on the process.
    fileprivate func isBefore(_ other: RefusedFlow) -> Bool {
        (source, destination, ipProtocol, sourcePort, destinationPort, reason.rawValue)
            < (
                other.source, other.destination, other.ipProtocol, other.sourcePort,
                other.destinationPort, other.reason.rawValue
            )
    }
}
