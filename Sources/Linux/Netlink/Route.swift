private import CLinux
private import Glibc
public import NetTypes

/// A route of one namespace for packets to single hosts.
public struct Route: Hashable, Sendable {
    /// Where a route sends packets.
    public struct Hop: Hashable, Sendable {
        /// The index of the link.
        public let link: Int32
        /// The next router; nil where the destination itself is on the link.
        public let gateway: IPAddress?
    }

    public let destination: Prefix
    /// The number of the routing table; 254 is `main`.
    public let table: UInt32
    /// Of routes to the same network in one table the one with the lowest is taken.
    public let metric: UInt32
    /// More than one of a multipath route; none where packets are discarded or another table is asked.
    public let hops: [Hop]
}

extension Route {
    private static let headerSize = 12
    /// `RTN_UNICAST`, `RTN_BLACKHOLE`, `RTN_UNREACHABLE`, `RTN_PROHIBIT` and `RTN_THROW` of linux/rtnetlink.h.
    private static let unicast: UInt8 = 1
    private static let discarding: ClosedRange<UInt8> = 6...9

    /// Reads the payload of an RTM_NEWROUTE or RTM_DELROUTE message; nil for a route that says nothing about
    /// where single hosts are: of the host's own addresses, of groups, and of link-local networks.
    init?(_ payload: ArraySlice<UInt8>) throws(NetlinkParseError) {
        guard payload.count >= Self.headerSize else { throw .shortValue(length: payload.count) }
        let family: UInt8 = try payload.number(at: 0)
        let length: UInt8 = try payload.number(at: 1)
        let type: UInt8 = try payload.number(at: 7)
        guard let all = AddressFamily(number: family).map(Prefix.all),
            type == Self.unicast || Self.discarding.contains(type)
        else { return nil }
        var address = all.address
        var table = UInt32(try payload.number(at: 4) as UInt8)
        var metric: UInt32 = 0
        var hop = RouteHop()
        var hops: [Hop] = []
        var attributes = NetlinkAttributes(payload.dropFirst(Self.headerSize))
        while let attribute = try attributes.next() {
            switch Int(attribute.type) {
            case Int(RTA_DST.rawValue):
                address = IPAddress(bytes: attribute.payload) ?? address
            case Int(RTA_TABLE.rawValue): table = try attribute.payload.number(at: 0)
            case Int(RTA_PRIORITY.rawValue): metric = try attribute.payload.number(at: 0)
            case Int(RTA_MULTIPATH.rawValue): hops = try Self.hops(attribute.payload)
            default: try hop.read(attribute)
            }
        }
        guard !address.isLinkLocal, !address.isMulticastOrBroadcast else { return nil }
        if hops.isEmpty, let hop = hop.finished { hops = [hop] }
        destination = Prefix(containing: address, length: Int(length))
        self.table = table
        self.metric = metric
        self.hops = type == Self.unicast ? hops : []
    }

    /// Reads the next hops of a multipath route, which are `struct rtnexthop` with attributes of their own.
    private static func hops(_ payload: ArraySlice<UInt8>) throws(NetlinkParseError) -> [Hop] {
        let headerSize = 8
        var hops: [Hop] = []
        var rest = payload
        while rest.count >= headerSize {
            let length = Int(try rest.number(at: 0) as UInt16)
            guard (headerSize...rest.count).contains(length) else {
                throw .truncatedAttribute(offset: rest.startIndex)
            }
            var hop = RouteHop(link: try rest.number(at: 4))
            var attributes = NetlinkAttributes(rest.prefix(length).dropFirst(headerSize))
            while let attribute = try attributes.next() { try hop.read(attribute) }
            if let hop = hop.finished { hops.append(hop) }
            rest = rest.dropFirst((length + 3) & ~3)
        }
        return hops
    }
}

/// A next hop while its attributes are read.
private struct RouteHop {
    var link: Int32?
    var gateway: IPAddress?

    mutating func read(_ attribute: NetlinkAttribute) throws(NetlinkParseError) {
        switch Int(attribute.type) {
        case Int(RTA_OIF.rawValue): link = try attribute.payload.number(at: 0)
        case Int(RTA_GATEWAY.rawValue): gateway = IPAddress(bytes: attribute.payload)
        // `struct rtvia`: a gateway of the other family.
        case Int(RTA_VIA.rawValue): gateway = IPAddress(bytes: attribute.payload.dropFirst(2))
        default: break
        }
    }

    var finished: Route.Hop? { link.map { Route.Hop(link: $0, gateway: gateway) } }
}

extension AddressFamily {
    /// The family of AF_INET or AF_INET6; nil for any other.
    init?(number: UInt8) {
        switch number {
        case AddressFamily.v4.number: self = .v4
        case AddressFamily.v6.number: self = .v6
        default: return nil
        }
    }
}
