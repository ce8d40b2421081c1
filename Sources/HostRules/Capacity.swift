/// How many entries the host filter's maps are made for.
public struct Capacity: Hashable, Sendable {
    public var endpoints: Int
    public var own: Int
    public var peers: Int
    public var networks: Int
    public var shapes: Int
    public var admissions: Int
    public var rules: Int
    /// Flows at all endpoints.
    public var flows: Int

    public init(
        endpoints: Int = 0, own: Int = 0, peers: Int = 0, networks: Int = 0, shapes: Int = 0,
        admissions: Int = 0, rules: Int = 0, flows: Int = 0
    ) {
        self.endpoints = endpoints
        self.own = own
        self.peers = peers
        self.networks = networks
        self.shapes = shapes
        self.admissions = admissions
        self.rules = rules
        self.flows = flows
    }

    /// What the entries of some endpoints take.
    public init(of entries: some Sequence<HostEntries>) {
        self.init()
        for entries in entries {
            endpoints += 1
            self = self + entries.size
        }
        flows = Self.flows(neededBy: endpoints)
    }

    /// The flows that a number of endpoints need room for: one share each for the flows that the
    /// endpoint opens and for those that outside callers open to it.
    ///
    /// - Parameter endpoints: How many there are.
    /// - Returns: At most `most.flows`.
    public static func flows(neededBy endpoints: Int) -> Int {
        min(2 * endpoints * leastShare, most.flows)
    }

    /// Room for twice as much, and for a small host to grow in; never above `most`.
    ///
    /// The flow table takes its memory at once: its size follows the number of endpoints.
    public var withHeadroom: Capacity {
        var capacity = map { max(2048, Self.powerOfTwo(from: $0 * 2)) }
        // Addresses that tenants may give themselves: memory is taken as entries come.
        capacity.own = max(
            capacity.own, min(capacity.endpoints * Self.addressShare, Self.mostAddresses))
        capacity.peers = max(capacity.peers, Self.leastPeers)
        capacity.networks = max(capacity.networks, Self.leastPeers)
        return capacity.limited()
    }

    /// `Topology.mostAddressesOfOne`.
    private static let addressShare = 64

    /// 16 MB for the buckets of a hash of so many entries.
    private static let mostAddresses = 1 << 20

    /// One endpoint with all the addresses that it may have, at a thousand others.
    private static let leastPeers = 1 << 17

    /// How many flows one initiator may have in the table.
    ///
    /// There are two shares for each endpoint, its own and that of outside callers, so that no
    /// initiator can use up another's. It is a power of two, so that it seldom changes.
    ///
    /// - Parameter endpoints: How many there are.
    /// - Returns: At least 1.
    public func flowShare(of endpoints: Int) -> Int {
        let most = max(flows / (2 * max(endpoints, 1)), 1)
        return min(1 << (Int.bitWidth - 1 - most.leadingZeroBitCount), 16_384)
    }

    /// A table in which the share is smaller has to grow.
    private static let leastShare = 64

    private func map(_ change: (Int) -> Int) -> Capacity {
        Capacity(
            endpoints: min(change(endpoints), 65_535), own: change(own), peers: change(peers),
            networks: change(networks), shapes: change(shapes), admissions: change(admissions),
            rules: change(rules),
            flows: min(max(1 << 17, Self.powerOfTwo(from: endpoints * 512)), Self.most.flows))
    }

    private static func powerOfTwo(from count: Int) -> Int {
        count <= 1 ? 1 : 1 << (Int.bitWidth - (count - 1).leadingZeroBitCount)
    }
}
