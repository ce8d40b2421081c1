import NetTypes

extension Reachability {
    /// A flow from one site to another that some end refuses; nil if all of them pass.
    ///
    /// Each end is asked by itself: a flow passes if both admit it.
    func gap(from source: Site, to target: Site, over services: [Service]) -> Gap? {
        let names = names(of: target.endpoint)
        let wanted = services.map { Admitted($0, names: names) }
        var reached = target.addresses
        if let index = source.endpoint { reached = reached.subtracting(own[index]) }
        for family in AddressFamily.allCases {
            let (here, there) = (
                source.addresses.lasting(family), reached.lasting(family)
            )
            guard !here.isEmpty, !there.isEmpty else { continue }
            if let index = source.endpoint,
                let (address, number, port) = uncovered(
                    there, wanted, by: egress[index], names)
            {
                return Gap(
                    source: here.example, destination: address, ipProtocol: number, port: port)
            }
            if let index = target.endpoint,
                let (address, number, port) = uncovered(
                    here, wanted, by: ingress[index], names)
            {
                return Gap(
                    source: address, destination: there.example, ipProtocol: number, port: port)
            }
        }
        return nil
    }

    struct Gap {
        let source: IPAddress?
        let destination: IPAddress?
        let ipProtocol: IPProtocol
        let port: UInt16
    }

    /// A point of addresses and services that none of the rules covers.
    private func uncovered(
        _ addresses: AddressSet, _ wanted: [Admitted], by openings: [Opening],
        _ names: [NamedPort]
    ) -> (IPAddress, IPProtocol, UInt16)? {
        // Messages of DHCP are told by their source ports as well: a port is not reached by them.
        let admitted = openings.filter { !$0.rule.service.isDHCP }.map {
            (service: Admitted($0.rule.service, names: names), addresses: $0.far.addresses)
        }
        for want in wanted {
            for number in want.ipProtocol.map({ [$0] }) ?? IPProtocol.byFamiliarity {
                let relevant = admitted.filter {
                    $0.service.ipProtocol == nil || $0.service.ipProtocol == number
                }
                for port in Self.representatives(of: want.ports, relevant.map(\.service.ports)) {
                    let covered = AddressSet(
                        unionOf: relevant.filter { $0.service.ports.contains(port) }
                            .map(\.addresses))
                    if let address = addresses.subtracting(covered).example {
                        return (address, number, port)
                    }
                }
            }
        }
        return nil
    }

    /// One port for each part of the wanted ones that no boundary of the others cuts.
    private static func representatives(
        of wanted: IntervalSet<UInt16>, _ others: [IntervalSet<UInt16>]
    ) -> [UInt16] {
        let starts = others.flatMap(\.ranges).flatMap { range in
            [range.lowerBound, range.upperBound == .max ? 0 : range.upperBound + 1]
        }
        let cuts = Set(starts).union(wanted.ranges.map(\.lowerBound))
        return cuts.filter { wanted.contains($0) }.sorted()
    }
}

extension AddressSet {
    /// The addresses of one family without those that are good for one link only.
    func lasting(_ family: AddressFamily) -> AddressSet {
        let all = family == .v4 ? AddressSet(v4: v4) : AddressSet(v6: v6)
        return all.subtracting(.linkLocal)
    }

    private static let linkLocal = AddressSet(
        [
            .init(containing: .v4(0xa9fe_0000), length: 16),
            .init(containing: .v6(UInt128(0xfe80) << 112), length: 10),
        ] as [Prefix])
}
