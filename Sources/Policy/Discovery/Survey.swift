import NetTypes

/// A topology in the making.
struct Survey {
    private struct Member {
        let namespace: ObservedNamespace
        let tenant: String
        let labels: Labels
        /// Those that it has by right so far.
        var addresses: [IPAddress] = []

        var name: String { namespace.name }

        /// Whether a link other than the loopback device has the address.
        func isOffLoopback(_ address: IPAddress) -> Bool {
            namespace.interfaces.contains { $0.index != 1 && $0.addresses.contains(address) }
        }
    }

    /// A claim, and the member or the unknown namespace whose it is.
    private struct Claim {
        let claim: AddressClaim<AddressHolder>
        let name: String
        /// Nil for a namespace that no tenant claims.
        let member: Int?
    }

    /// An address that a route of the host leads to by gateways on a member's link.
    private struct Behind {
        let member: Int
        let address: IPAddress
        let gateways: Set<IPAddress>
        let created: UInt64
    }

    private let tenants: [String: Tenant]
    private let namespaces: [ObservedNamespace]
    private let host: NamespaceID?
    private let hostAddresses: Set<IPAddress>
    private let given: [NamespaceID: Set<IPAddress>]
    private let hostLinks: HostLinks?
    private let pins: PinnedNetworks
    private var members: [Member] = []
    private var unknown: [ObservedNamespace] = []
    private var conflicts: [Conflict] = []
    /// Of endpoints only, for each address that one of them has.
    private var claims: [IPAddress: [Claim]] = [:]
    private var behind: [Behind] = []
    private var local: [IPAddress] = []

    init(
        tenants: [String: Tenant], namespaces: [ObservedNamespace], host: NamespaceID?,
        given: [NamespaceID: Set<IPAddress>]
    ) {
        self.given = given
        self.tenants = tenants
        self.namespaces = namespaces
        self.host = host
        let here = namespaces.first { $0.id == host }
        hostAddresses = Set(here?.addresses ?? [])
        hostLinks = HostLinks(here)
        pins = PinnedNetworks(tenants.values)
    }

    mutating func assignNamespaces() {
        let claims = ClaimIndex(tenants.values)
        for namespace in namespaces where namespace.id != host {
            let matches = claims.matches(namespace)
            let owners = Set(matches.map(\.tenant)).sorted()
            guard owners.count == 1, let tenant = tenants[owners[0]] else {
                unknown.append(namespace)
                if owners.count > 1 {
                    conflicts.append(.sharedNamespace(namespace.name, tenants: owners))
                }
                continue
            }
            members.append(
                Member(
                    namespace: namespace, tenant: tenant.name,
                    labels: tenant.labels(of: matches.map(\.order))))
        }
    }

    /// Finds for each endpoint which of its addresses it has any right to.
    ///
    /// One that it has none to stays what it is for all others, so that configuring it changes nothing for
    /// them. Of those beyond an endpoint's share the newest are refused.
    mutating func judgeClaims() {
        for index in members.indices {
            let member = members[index]
            var created = member.namespace.created
            var accepted: [(address: IPAddress, rank: ClaimRank)] = []
            var refused: [Conflict] = []
            let attachment = hostLinks?.attachment(of: member.namespace)
            created.merge(attachment?.created ?? [:]) { $1 }
            for address in member.namespace.addresses {
                switch judge(address, of: member, attachment) {
                case .accepted(let rank): accepted.append((address, rank))
                case .behind(let gateways):
                    behind.append(
                        Behind(
                            member: index, address: address, gateways: gateways,
                            created: created[address] ?? 0))
                case .refused(let conflict): refused.append(conflict)
                case .ignored: continue
                }
            }
            let most = Topology.mostAddressesOfOne
            conflicts += refused.prefix(most)
            if accepted.count > most {
                accepted.sort {
                    (created[$0.address] ?? 0, $0.address) < (created[$1.address] ?? 0, $1.address)
                }
                conflicts.append(
                    .tooManyAddresses(
                        endpoint: member.name, tenant: member.tenant, count: accepted.count,
                        most: most, refused: accepted.dropFirst(most).map(\.address)))
            }
            for (address, rank) in accepted.prefix(most) {
                claims[address, default: []].append(
                    claim(of: index, rank: rank, created: created[address] ?? 0))
            }
        }
        judgeUnknown()
    }

    private func claim(of index: Int, rank: ClaimRank, created: UInt64) -> Claim {
        let member = members[index]
        return Claim(
            claim: AddressClaim(
                claimant: .endpoint(tenant: member.tenant, labels: member.labels), rank: rank,
                created: created),
            name: member.name, member: index)
    }

    /// What no tenant claims has addresses as well, which are never the world's, and others' by right.
    private mutating func judgeUnknown() {
        for namespace in unknown {
            let attachment = hostLinks?.attachment(of: namespace)
            let created = namespace.created.merging(attachment?.created ?? [:]) { $1 }
            for address in namespace.addresses {
                guard let rank = rank(of: address, attachment) else { continue }
                local.append(address)
                // Only endpoints' addresses matter, so no entry is made for others.
                guard claims[address] != nil else { continue }
                claims[address]?.append(
                    Claim(
                        claim: AddressClaim(
                            claimant: .unknown(namespace.id), rank: rank,
                            created: created[address] ?? 0),
                        name: namespace.name, member: nil))
            }
        }
    }

    private func rank(of address: IPAddress, _ attachment: HostLinks.Attachment?) -> ClaimRank? {
        guard let hostLinks, let attachment, !address.isLinkLocal else { return .unjudged }
        switch hostLinks.reach(address, attachment) {
        case .routed: return .routed
        case .unjudged: return .unjudged
        case .behind, .elsewhere: return nil
        }
    }

    private enum Judgement {
        case accepted(ClaimRank)
        case behind(Set<IPAddress>)
        case refused(Conflict)
        /// Link-local on a link that reaches nobody else.
        case ignored
    }

    private func judge(
        _ address: IPAddress, of member: Member, _ attachment: HostLinks.Attachment?
    ) -> Judgement {
        if address.isLinkLocal {
            guard let attachment else {
                return member.isOffLoopback(address) ? .accepted(.unjudged) : .ignored
            }
            return attachment.reachable[address] == nil ? .ignored : .accepted(.unjudged)
        }
        let owners = pins.owners(of: address)
        if owners.contains(member.tenant) { return .accepted(.pinned) }
        if let owner = owners.min() {
            return .refused(.insidePinned(address, endpoint: member.name, of: owner))
        }
        guard tenants[member.tenant]?.pinned == nil else {
            return .refused(
                .outsidePinned(address, endpoint: member.name, tenant: member.tenant))
        }
        if given[member.namespace.id]?.contains(address) ?? false { return .accepted(.given) }
        guard let hostLinks, let attachment else { return .accepted(.unjudged) }
        if hostLinks.isDefaultGateway(address) {
            return .refused(
                .takenAddress(
                    address, endpoint: member.name, tenant: member.tenant,
                    keeper: "the host's default gateway"))
        }
        switch hostLinks.reach(address, attachment) {
        case .routed: return .accepted(.routed)
        case .unjudged: return .accepted(.unjudged)
        case .behind(let gateways): return .behind(gateways)
        case .elsewhere: return .refused(unrouted(address, of: member))
        }
    }

    private func unrouted(_ address: IPAddress, of member: Member) -> Conflict {
        .unroutedAddress(address, endpoint: member.name, tenant: member.tenant)
    }

    /// Keeps addresses from being the world's.
    mutating func keepLocal(_ addresses: Set<IPAddress>) { local += addresses }

    /// Gives each address to its keeper, and then those that the host routes by way of an endpoint.
    mutating func settleClaims() {
        settle()
        claims = [:]
        for one in behind {
            let member = members[one.member]
            if one.gateways.isDisjoint(with: member.addresses) {
                conflicts.append(unrouted(one.address, of: member))
            } else if member.addresses.count < Topology.mostAddressesOfOne {
                claims[one.address, default: []].append(
                    claim(of: one.member, rank: .routed, created: one.created))
            }
        }
        settle()
    }

    private mutating func settle() {
        for (address, claims) in claims.sorted(by: { $0.key < $1.key }) {
            local.append(address)
            guard !hostAddresses.contains(address) else {
                for claim in claims { lose(address, claim, to: "host") }
                continue
            }
            switch claims.map(\.claim).keeper {
            case .claims(let kept):
                for (index, claim) in claims.enumerated() {
                    if kept.contains(index) {
                        if let member = claim.member { members[member].addresses.append(address) }
                    } else if let first = kept.first {
                        lose(address, claim, to: claims[first].name)
                    }
                }
            case .undecided:
                conflicts.append(.sharedAddress(address, by: claims.map(\.name).sorted()))
            }
        }
    }

    private mutating func lose(_ address: IPAddress, _ claim: Claim, to keeper: String) {
        conflicts.append(
            .takenAddress(
                address, endpoint: claim.name, tenant: claim.member.map { members[$0].tenant },
                keeper: keeper))
    }

    var topology: Topology {
        Topology(
            endpoints: members.map { member in
                Endpoint(
                    id: member.namespace.id, name: member.name, tenant: member.tenant,
                    labels: member.labels, addresses: member.addresses.sorted())
            },
            host: AddressSet(hostAddresses),
            local: AddressSet(local).union(pins.addresses),
            conflicts: conflicts, unknown: unknown.map(\.id))
    }
}
