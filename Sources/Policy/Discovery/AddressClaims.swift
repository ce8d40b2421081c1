import NetTypes

/// What stands behind a claim to an address, the strongest first.
enum ClaimRank: Int, Comparable {
    /// The tenant pins the address.
    case pinned
    /// The host said that it has given it to the namespace.
    case given
    /// The host has a route for it to the namespace.
    case routed
    /// The host can't tell.
    case unjudged

    static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }
}

/// A namespace that has an address, with what its claim to it rests on.
struct AddressClaim<Claimant: Hashable> {
    /// Claims of equal claimants don't contest each other.
    let claimant: Claimant
    let rank: ClaimRank
    /// When it was configured, in hundredths of a second since the boot.
    let created: UInt64
}

/// Who of several claimants keeps an address.
enum AddressKeeper: Equatable {
    /// The claims at these indices; they are of equal claimants.
    case claims([Int])
    /// None, since the first ones came at the same time.
    case undecided
}

extension [AddressClaim<AddressHolder>] {
    /// Who keeps the address by the order of right: the strongest claim, and among equals the first.
    ///
    /// Depends on the claims alone, not on their order.
    var keeper: AddressKeeper {
        let order = { (claim: Element) in (claim.rank, claim.created) }
        guard let best = self.min(by: { order($0) < order($1) }) else { return .claims([]) }
        let first = filter { order($0) == order(best) }.map(\.claimant)
        guard Set(first).count == 1 else { return .undecided }
        return .claims(indices.filter { self[$0].claimant == best.claimant })
    }
}

/// A namespace as far as rules can tell it from others.
enum AddressHolder: Hashable {
    case endpoint(tenant: String, labels: Labels)
    case unknown(NamespaceID)
}
