public import NetTypes

/// A route of the host as discovery found it.
public struct ObservedRoute: Hashable, Sendable {
    /// Where a route sends packets.
    public struct Hop: Hashable, Sendable {
        /// The index of the host's link.
        public let link: Int32
        /// The next router; nil where the destination itself is on the link.
        public let gateway: IPAddress?

        /// - Parameters:
        ///   - link: The index of the host's link.
        ///   - gateway: The next router; nil where the destination itself is on the link.
        public init(link: Int32, gateway: IPAddress? = nil) {
            self.link = link
            self.gateway = gateway
        }
    }

    public let destination: Prefix
    /// The number of the routing table.
    public let table: UInt32
    /// Of routes to the same network in one table the one with the lowest is taken.
    public let metric: UInt32
    /// More than one of a multipath route; none where packets are discarded or another table is asked.
    public let hops: [Hop]

    /// - Parameters:
    ///   - destination: The network that it leads to.
    ///   - table: The number of the routing table; 254 is `main`.
    ///   - metric: Of routes to the same network the one with the lowest is taken.
    ///   - hops: The next hops; none where packets are discarded or another table is asked.
    public init(destination: Prefix, table: UInt32 = 254, metric: UInt32 = 0, hops: [Hop]) {
        self.destination = destination
        self.table = table
        self.metric = metric
        self.hops = hops
    }
}

extension ObservedRoute: Comparable {
    /// An order that is the same whatever the order in which routes were added.
    public static func < (left: ObservedRoute, right: ObservedRoute) -> Bool {
        (left.table, left.destination.length, left.destination.address, left.metric)
            < (right.table, right.destination.length, right.destination.address, right.metric)
    }
}
