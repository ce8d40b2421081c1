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
        /// What the host filter says of it; nil where the endpoint's table refused.
        var host: HostRefusal?
        /// Who stood at the ends, where others stood there when the flow was first refused in the window:
        /// each has a record.
        var ends: String?

        var layer: Violation.Layer { host == nil ? .nftables : .hostFilter }
    }

    /// Why the host filter refused a flow, and which way it went.
    struct HostRefusal: Hashable, Codable {
        let reason: RefusalReason
        let direction: Direction
        /// The endpoint that sent it, where its veth is known.
        let sender: NamespaceID?
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

    /// A refused flow within a window, or what was put together of a flood.
    struct Record: Codable {
        let key: Key
        let first: Timestamp
        var last: Timestamp
        var count: Count
        /// How many flows it stands for; nil for one.
        var flows: UInt64?
        let generation: UInt64
        let attribution: Attribution
    }

    struct Pair: Hashable, Codable {
        let source: PartyName
        let destination: PartyName
        let direction: Direction
        let reason: RefusalReason
        /// Nil is the endpoint's table.
        let layer: Violation.Layer?

        init(_ attribution: Attribution, _ layer: Violation.Layer) {
            self.layer = layer == .nftables ? nil : layer
            source = attribution.sourceParty
            destination = attribution.destinationParty
            direction = attribution.direction
            reason = attribution.reason
        }
    }

    private(set) var totals: [Pair: Tally] = [:]
    /// When something was last refused, by pair.
    private(set) var lastRefused: [Pair: Timestamp]?
    private(set) var records: OrderedDictionary<Key, Record> = [:]
    /// All packets of all totals.
    private(set) var packets: UInt64 = 0
    /// What the endpoints' tables refused of these.
    private(set) var insideTables: Count?
    /// What the host filter refused of these.
    private(set) var outside: Count?
    /// How many records had to make room.
    private(set) var forgotten: UInt64 = 0
    /// What the last reading showed of the flows that are still in the kernel's sets.
    private var seen: [Key: Count] = [:]
    private var limit: Int
    /// The window that the records below belong to.
    private var window: Window?
    /// Records that are another than when they were last asked for.
    private var changed: OrderedSet<Key> = []
    /// Records of a window that is over, until they are asked for.
    private var finished: [Record] = []

    private enum CodingKeys: CodingKey {
        case totals, lastRefused, records, packets, insideTables, outside, forgotten, seen, limit
    }

    init(limit: Int) { self.limit = limit }

    /// Takes one reading of refused flows; gives the records that were not there before.
    mutating func take(
        _ flows: [Key: Count], at now: Timestamp, generation: UInt64,
        attribute: (Key) -> Attribution
    ) -> [Key] {
        turn(at: now)
        var new: [Key] = []
        for (key, count) in flows.sorted(by: { $0.key.flow.isBefore($1.key.flow) }) {
            let before = seen[key] ?? .zero
            // A count that is lower than before belongs to an element that was made anew.
            let more = count.packets < before.packets ? count : count.subtracting(before)
            seen[key] = count
            guard more.packets > 0 else { continue }
            if let made = credit(more, to: key, at: now, generation: generation, attribute) {
                new.append(made)
            }
        }
        return new
    }

    /// The flows have left the kernel's sets.
    mutating func leave(_ keys: some Sequence<Key>) {
        for key in keys { seen[key] = nil }
    }

    /// The endpoint's table is gone.
    mutating func leave(_ endpoint: NamespaceID) {
        seen = seen.filter { $0.key.endpoint != endpoint }
    }

    /// The endpoints in whose kernel sets flows from or to one of the addresses were when they were read.
    func endpoints(concerning addresses: Set<IPAddress>) -> Set<NamespaceID> {
        Set(
            seen.keys.lazy.filter {
                $0.host == nil
                    && (addresses.contains($0.flow.source)
                        || addresses.contains($0.flow.destination))
            }.map(\.endpoint))
    }

    /// How many flows the fullest endpoint's set had when it was last read, by the set's name.
    var crowds: [String: Int] {
        struct Place: Hashable {
            let endpoint: NamespaceID
            let set: String
        }
        var counts: [Place: Int] = [:]
        for key in seen.keys where key.host == nil {
            let set = key.flow.reason.setName(key.flow.source.family == .v4 ? 4 : 6)
            counts[Place(endpoint: key.endpoint, set: set), default: 0] += 1
        }
        return counts.reduce(into: [:]) { $0[$1.key.set] = max($0[$1.key.set] ?? 0, $1.value) }
    }

    /// The records that are another than when this was last asked.
    mutating func takeChanged() -> [Record] {
        defer {
            finished = []
            changed = []
        }
        return finished + changed.compactMap { records[$0] }
    }

    /// Begins a new window when its time has come: a flow that goes on gets a new record then.
    private mutating func turn(at now: Timestamp) {
        guard window?.contains(now) != true else { return }
        let next = Window(at: now, records.values)
        let over = records.values.filter { !next.contains($0.first) }
        finished += over.filter { changed.contains($0.key) }
        window = next
    }

    /// Credits a flow, and gives the key of its record if that is new.
    private mutating func credit(
        _ more: Count, to key: Key, at now: Timestamp, generation: UInt64,
        _ attribute: (Key) -> Attribution
    ) -> Key? {
        let attribution = attribute(key)
        let key = own(key, attribution)
        let pair = Pair(attribution, key.layer)
        let isNewFlow = window?.note(key) ?? true
        totals[pair, default: Tally()] =
            (totals[pair] ?? Tally())
            + Tally(packets: more.packets, bytes: more.bytes, flows: isNewFlow ? 1 : 0)
        lastRefused = lastRefused ?? [:]
        lastRefused?[pair] = now
        packets = packets.addingCount(more.packets)
        if key.host == nil {
            insideTables = (insideTables ?? .zero) + more
        } else {
            outside = (outside ?? .zero) + more
        }
        let target = own(target(of: key, pair), attribution)
        changed.append(target)
        if var record = records[target], window?.contains(record.first) ?? true {
            record.count += more
            // A clock may be set back within the window.
            record.last = max(record.first, now)
            if isNewFlow, target != key { record.flows = (record.flows ?? 1) + 1 }
            records[target] = record
            return nil
        }
        window?.admit(target, pair)
        // At the end, as the latest.
        records[target] = nil
        records[target] = Record(
            key: target, first: now, last: now, count: more, generation: generation,
            attribution: target == key ? attribution : attribution.narrowed(to: target.flow))
        makeRoom()
        return target
    }

    /// The key, or where others have the record of that key, one of the ends' own.
    private func own(_ key: Key, _ attribution: Attribution) -> Key {
        guard let record = records[key], window?.contains(record.first) ?? true,
            !record.attribution.hasSameEnds(as: attribution)
        else { return key }
        var own = key
        own.ends = attribution.ends
        return own
    }

    /// The record that the flow belongs to: its own, or what is put together of a flood.
    private func target(of key: Key, _ pair: Pair) -> Key {
        if let own = records[key], window?.contains(own.first) ?? true { return key }
        guard let window else { return key }
        return window.room(for: key, pair)
    }

    /// Drops the oldest quarter at once: dropping one at a time would cost as much each time.
    private mutating func makeRoom() {
        guard records.count > limit else { return }
        let surplus = max(limit / 4, 1)
        forgotten += UInt64(surplus)
        finished += records.values.prefix(surplus).filter { changed.contains($0.key) }
        for record in records.values.prefix(surplus) { changed.remove(record.key) }
        records.removeFirst(surplus)
    }
}

extension RefusalBook.Attribution {
    /// Whether the same parties stand at both ends; endpoints are not compared where flows of several of a
    /// tenant are put together.
    fileprivate func hasSameEnds(as other: Self) -> Bool {
        sourceParty == other.sourceParty && destinationParty == other.destinationParty
            && source.isSame(as: other.source) && destination.isSame(as: other.destination)
            && reason == other.reason && direction == other.direction
    }

    /// The parties and the reason, as a text that differs where these differ.
    fileprivate var ends: String {
        let parties = [(sourceParty, source), (destinationParty, destination)].map {
            "\($0.parameter)/\($1.endpoint ?? "")"
        }
        return (parties + [direction.rawValue, reason.rawValue]).joined(separator: " ")
    }

    /// The same ends, where the flows of several callers or called are put together.
    fileprivate func narrowed(to flow: RefusedFlow) -> RefusalBook.Attribution {
        RefusalBook.Attribution(
            source: source.narrowed(to: flow.source),
            destination: destination.narrowed(to: flow.destination), sourceParty: sourceParty,
            destinationParty: destinationParty, direction: direction, reason: reason)
    }
}

extension ViolationEnd {
    fileprivate func isSame(as other: ViolationEnd) -> Bool {
        endpoint == other.endpoint || address != other.address
    }

    fileprivate func narrowed(to address: IPAddress) -> ViolationEnd {
        address == self.address
            ? self : ViolationEnd(address: address, tenant: tenant, party: party)
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
