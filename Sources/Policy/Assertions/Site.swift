import NetTypes

/// Where a path may begin or end: an endpoint with some of its addresses, or a region outside.
struct Site: Hashable {
    /// The endpoint's place in the topology; nil outside.
    let endpoint: Int?
    /// What messages call it.
    let name: String
    let addresses: AddressSet
}

extension Topology {
    /// The sites that make up the addresses: endpoints first, then the host, the world, the rest.
    func sites(_ addresses: AddressSet, own: [AddressSet]) -> [Site] {
        var sites: [Site] = []
        var left = addresses
        for (index, endpoint) in endpoints.enumerated() {
            let here = addresses.intersection(own[index])
            guard !here.isEmpty else { continue }
            left = left.subtracting(own[index])
            sites.append(
                Site(
                    endpoint: index, name: "\(endpoint.tenant)/\(endpoint.name)", addresses: here))
        }
        for (name, region) in [("host", host), ("world", world)] {
            let here = left.intersection(region)
            left = left.subtracting(region)
            if !here.isEmpty { sites.append(Site(endpoint: nil, name: name, addresses: here)) }
        }
        if !left.isEmpty { sites.append(Site(endpoint: nil, name: "nobody", addresses: left)) }
        return sites
    }

    /// What rules call the world.
    var world: AddressSet {
        AddressSet.all.subtracting(local).subtracting(host).subtracting(.unroutable)
    }
}

extension AddressSet {
    /// What no single machine beyond the link can have.
    static let unroutable = AddressSet(
        v4: IntervalSet([
            0...0, 0x7f00_0000...0x7fff_ffff, 0xa9fe_0000...0xa9fe_ffff,
            0xe000_0000...0xefff_ffff, UInt32.max...UInt32.max,
        ]),
        v6: IntervalSet([
            0...1, UInt128(0xfe80) << 112...(UInt128(0xfec0) << 112) - 1,
            UInt128(0xff00) << 112...UInt128.max,
        ]))

    /// One of the addresses, a plain one if there is a choice.
    var example: IPAddress? {
        v4.ranges.first.map { .v4($0.example) } ?? v6.ranges.first.map { .v6($0.example) }
    }
}

extension ClosedRange where Bound: FixedWidthInteger {
    /// The lowest number that doesn't look like a network's own address.
    fileprivate var example: Bound {
        lowerBound & 1 == 0 && lowerBound < upperBound ? lowerBound + 1 : lowerBound
    }
}
