public import NetTypes

/// The host end of a namespace's veth, and what the namespace says its own link-layer address is.
public struct VethEnd: Hashable, Sendable {
    /// The veth: the namespace, its interface's index there and the host end's index.
    public struct Key: Hashable, Sendable, Codable {
        public let namespace: NamespaceID
        public let interface: Int32
        public let end: Int32

        /// - Parameters:
        ///   - namespace: The namespace of the interface.
        ///   - interface: The interface's index there.
        ///   - end: The index of the host end.
        public init(namespace: NamespaceID, interface: Int32, end: Int32) {
            self.namespace = namespace
            self.interface = interface
            self.end = end
        }
    }

    public let key: Key
    /// What reports call the namespace.
    public let name: String
    /// The index of the bridge that the host end is a port of; the host end's own where it is none.
    public let segment: Int32
    /// What the interface has now.
    public let current: [UInt8]

    /// - Parameters:
    ///   - key: The veth.
    ///   - name: What reports call the namespace.
    ///   - segment: The index of the bridge that the host end is a port of, or its own.
    ///   - current: What the interface has now, 6 bytes.
    public init(key: Key, name: String, segment: Int32, current: [UInt8]) {
        self.key = key
        self.name = name
        self.segment = segment
        self.current = current
    }
}

/// Which link-layer address each veth had first, and which it may use now.
///
/// The order of right on one broadcast domain: the host's own addresses; then the address that a veth had when it
/// was first seen, since it is the host that makes veths, the older one first; then what a namespace changed its
/// address to, if nothing else on the link was known to have it. A namespace that changes its address can take it
/// from nobody, neither now nor from a veth that is made later.
///
/// Holds one entry for each veth that is there, and only the host can make veths that end in its namespace.
public struct LinkAddressClaims: Hashable, Sendable, Codable {
    /// A veth's addresses.
    public struct Entry: Hashable, Sendable, Codable {
        public let first: [UInt8]
        /// The lower, the earlier it was seen.
        public let order: UInt64
        /// What it may use: `first`, what it was changed to, or nothing.
        public fileprivate(set) var used: [UInt8]
    }

    /// A veth that may not use the address that it has.
    public struct Refusal: Hashable, Sendable {
        public let address: [UInt8]
        public let claimant: String
        public let keeper: String
    }

    /// What is known behind a link: whether the address was seen anywhere but at this veth.
    public typealias Elsewhere = (_ address: [UInt8], _ end: VethEnd) -> Bool

    public private(set) var entries: [VethEnd.Key: Entry] = [:]
    private var next: UInt64 = 0

    /// An address on a broadcast domain.
    private struct Place: Hashable {
        let segment: Int32
        let address: [UInt8]
    }

    /// Nothing is known yet.
    public init() {}

    /// Whether a veth uses an address that it did not have first.
    public var hasChanges: Bool {
        entries.values.contains { !$0.used.isEmpty && $0.used != $0.first }
    }

    /// What a veth may use; nil for one that isn't known, empty where it may use none.
    public func address(of key: VethEnd.Key) -> [UInt8]? { entries[key]?.used }

    /// Takes in what veths there are and decides what each may use.
    ///
    /// - Parameters:
    ///   - ends: Every veth between a namespace and the host, in any order.
    ///   - hosts: The host's own addresses by segment.
    ///   - known: What an earlier agent let a veth use that there is no entry of.
    ///   - elsewhere: Asked for addresses only that a namespace changed to.
    /// - Returns: The veths that may not use what they have, by their host ends.
    public mutating func settle(
        _ ends: [VethEnd], hosts: [Int32: Set<[UInt8]>], known: [VethEnd.Key: [UInt8]] = [:],
        elsewhere: Elsewhere
    ) -> [Refusal] {
        remember(ends, known)
        let ordered = ends.sorted { order($0) < order($1) }
        var keepers: [Place: VethEnd] = [:]
        for end in ends {
            guard let entry = entries[end.key], hosts[end.segment]?.contains(entry.first) != true
            else { continue }
            let place = Place(segment: end.segment, address: entry.first)
            let known = keepers[place].flatMap { entries[$0.key] }
            if known.map({ entry.order < $0.order }) ?? true { keepers[place] = end }
        }
        for end in ordered {
            let used = choice(for: end, &keepers, hosts, elsewhere)
            entries[end.key]?.used = used
        }
        return ordered.compactMap { end in
            guard entries[end.key]?.used != end.current else { return nil }
            let isHosts = hosts[end.segment]?.contains(end.current) ?? false
            let keeper = keepers[Place(segment: end.segment, address: end.current)]
            return Refusal(
                address: end.current, claimant: end.name,
                keeper: isHosts ? "host" : keeper?.name ?? "a device on the link")
        }
    }

    private mutating func remember(_ ends: [VethEnd], _ known: [VethEnd.Key: [UInt8]]) {
        let keys = Set(ends.map(\.key))
        entries = entries.filter { keys.contains($0.key) }
        // Of veths that are seen at once the host made the one with the lower index first.
        let byAge = ends.sorted {
            ($0.key.end, $0.key.namespace) < ($1.key.end, $1.key.namespace)
        }
        for end in byAge where entries[end.key] == nil {
            let first = known[end.key] ?? end.current
            entries[end.key] = Entry(first: first, order: next, used: first)
            next += 1
        }
    }

    /// Who uses what it has already comes before who has just changed.
    private func order(_ end: VethEnd) -> (Int, UInt64) {
        guard let entry = entries[end.key] else { return (1, .max) }
        return (entry.used == end.current ? 0 : 1, entry.order)
    }

    private func choice(
        for end: VethEnd, _ keepers: inout [Place: VethEnd], _ hosts: [Int32: Set<[UInt8]>],
        _ elsewhere: Elsewhere
    ) -> [UInt8] {
        guard let entry = entries[end.key] else { return [] }
        for address in [end.current, entry.used, entry.first] where !address.isEmpty {
            let place = Place(segment: end.segment, address: address)
            if let keeper = keepers[place] {
                if keeper.key == end.key { return address }
            } else if hosts[end.segment]?.contains(address) != true, !elsewhere(address, end) {
                keepers[place] = end
                return address
            }
        }
        return []
    }
}
