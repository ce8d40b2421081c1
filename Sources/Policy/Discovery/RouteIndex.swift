import NetTypes

/// The host's routes, found by an address with one look for each prefix length in use.
struct RouteIndex {
    private struct Key: Hashable {
        let table: UInt32
        let prefix: Prefix
    }

    private var routes: [Key: ObservedRoute] = [:]
    /// By table and family the lengths in use, the greatest first.
    private var lengths: [UInt32: [AddressFamily: [Int]]] = [:]
    /// The links through which networks are reached without a gateway; default routes don't count.
    private(set) var linksWithNetworks: [AddressFamily: Set<Int32>] = [:]
    /// The next hops of default routes.
    private(set) var defaultGateways: Set<IPAddress> = []

    init(_ routes: [ObservedRoute]) {
        for route in routes {
            let key = Key(table: route.table, prefix: route.destination)
            // Of equal networks the one with the lowest metric is taken, as the kernel does.
            if let known = self.routes[key], known.metric <= route.metric { continue }
            self.routes[key] = route
        }
        for route in self.routes.values { note(route) }
        for (table, families) in lengths {
            lengths[table] = families.mapValues { Set($0).sorted(by: >) }
        }
    }

    private mutating func note(_ route: ObservedRoute) {
        let (family, length) = (route.destination.address.family, route.destination.length)
        lengths[route.table, default: [:]][family, default: []].append(length)
        for hop in route.hops {
            if length == 0 {
                if let gateway = hop.gateway { defaultGateways.insert(gateway) }
            } else if hop.gateway == nil {
                linksWithNetworks[family, default: []].insert(hop.link)
            }
        }
    }

    /// Where the host sends packets to the address: the hops of the longest match of each table; default
    /// routes don't count.
    func hops(to address: IPAddress) -> [ObservedRoute.Hop] {
        lengths.flatMap { table, families -> [ObservedRoute.Hop] in
            for length in families[address.family] ?? [] where length > 0 {
                let prefix = Prefix(containing: address, length: length)
                if let route = routes[Key(table: table, prefix: prefix)] { return route.hops }
            }
            return []
        }
    }
}
