/// How many entries the host filter's maps are made for; they can't grow.
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
            own += entries.own.count
            peers += entries.peers.count
            networks += entries.networks.count
            shapes += entries.shapes.count
            admissions += entries.admissions.count
            rules += entries.rules.count
        }
        flows = min(2 * endpoints * Self.leastShare, Self.mostFlows)
    }

    /// Room for twice as much, and for a small host to grow in.
    ///
    /// The table of flows takes its memory at once: it grows with the endpoints that there are.
    public var withHeadroom: Capacity {
        var capacity = map { max(2048, Self.powerOfTwo(from: $0 * 2)) }
        // What the addresses take that tenants give themselves: memory is taken as entries come.
        capacity.own = max(
            capacity.own, min(capacity.endpoints * Self.addressShare, Self.mostAddresses))
        capacity.peers = max(capacity.peers, Self.leastPeers)
        capacity.networks = max(capacity.networks, Self.leastPeers)
        return capacity
    }

    /// `Topology.mostAddressesOfOne`.
    private static let addressShare = 64

    /// 16 MB for the places of a hash of so many entries.
    private static let mostAddresses = 1 << 20

    /// One endpoint with all the addresses that it may have, at a thousand others.
    private static let leastPeers = 1 << 17

    /// The first map that is too small for a need; nil if all are large enough.
    public func shortage(for need: Capacity) -> (map: String, entries: Int, capacity: Int)? {
        let pairs = [
            ("endpoints", need.endpoints, endpoints), ("own", need.own, own),
            ("peers", need.peers, peers), ("networks", need.networks, networks),
            ("shapes", need.shapes, shapes), ("admissions", need.admissions, admissions),
            ("rules", need.rules, rules), ("flows", need.flows, flows),
        ]
        return pairs.first { $0.1 > $0.2 }.map { ($0.0, $0.1, $0.2) }
    }

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

    /// A table in which the share is smaller is made anew.
    private static let leastShare = 64

    /// 139 MB of the kernel's memory.
    private static let mostFlows = 1 << 20

    private func map(_ change: (Int) -> Int) -> Capacity {
        Capacity(
            endpoints: min(change(endpoints), 65_535), own: change(own), peers: change(peers),
            networks: change(networks), shapes: change(shapes), admissions: change(admissions),
            rules: change(rules),
            flows: min(max(1 << 17, Self.powerOfTwo(from: endpoints * 512)), Self.mostFlows))
    }

    private static func powerOfTwo(from count: Int) -> Int {
        count <= 1 ? 1 : 1 << (Int.bitWidth - (count - 1).leadingZeroBitCount)
    }
}
