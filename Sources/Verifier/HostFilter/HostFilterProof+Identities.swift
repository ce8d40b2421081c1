internal import NetTypes
internal import Policy

/// Who is who at the interfaces.
extension HostFilterProof {
    mutating func holdIdentities() {
        for post in posts { hold(post) }
        for (number, holders) in index.holders.sorted(by: { $0.key < $1.key })
        where holders.count > 1 {
            for holder in holders.sorted() {
                report(
                    .identity, posts.first { $0.endpoint == holder },
                    "endpoints: number \(number)", "several endpoints have the same number")
            }
        }
        holdStrangers()
    }

    private mutating func hold(_ post: HostPost) {
        let place = "endpoints: interface \(post.interface)"
        guard state.entries[post.interface] != nil else {
            return report(.closes, post, place, "there is no entry, and every packet is dropped")
        }
        for entry in entries(at: post) {
            if entry.number != index.numbers[post.endpoint] {
                report(
                    .identity, post, place,
                    "number \(entry.number) is not the one that stands at its other interfaces")
            }
            if entry.number == 0 || entry.number > greatestNumber {
                report(
                    .identity, post, place, "number \(entry.number) has no place in a packet's mark"
                )
            }
            guard entry.hardwareAddress != post.hardwareAddress else { continue }
            let (wanted, found) = (text(post.hardwareAddress), text(entry.hardwareAddress))
            if post.isShared {
                audit.unproven.append(
                    Unproven(
                        reason:
                            "\(post.name): others have the link-layer address \(wanted) as well, "
                            + "and \(found) is the one that may send",
                        fix: "give each interface an address of its own"))
            } else {
                report(
                    .identity, post, place,
                    "frames of \(found) pass, and the interface has \(wanted)")
            }
        }
    }

    /// Interfaces that are no endpoint's and where packets are given a number.
    private mutating func holdStrangers() {
        for interface in Set(state.entries.keys).union(state.remembered.keys).sorted()
        where !interfaces.contains(interface) {
            guard
                let hook = state.hooks.first(where: { $0.interface == interface && identifies($0) })
            else { continue }
            let numbers = Set(entries(atInterface: interface).map(\.number))
            for number in numbers.sorted() {
                audit.findings.append(
                    HostFilterFinding(
                        kind: .identity, endpoint: index.holders[number]?.first.map(party),
                        interface: hook.name, place: "endpoints: interface \(interface)",
                        reason: "it is no endpoint's, and what comes through it is endpoint "
                            + "\(number)'s"))
            }
        }
    }

    /// Whether a program asks the map of endpoints who it is, whichever build's it is.
    private func identifies(_ hook: HostHook) -> Bool {
        hook.standing.contains { isAtOurPlace($0, sharing: state.reference?.from.maps) }
    }

    private var greatestNumber: UInt32 {
        let settings = state.programs.values.lazy.compactMap(\.settings).first
        guard let settings else { return 0xffff }
        return min(settings.identityMask >> settings.identityShift, 0xffff)
    }

    /// Endpoints that nothing stands in front of.
    mutating func holdAbsent() {
        for post in gone {
            audit.unproven.append(
                Unproven(
                    reason:
                        "\(party(post.endpoint).words): \(post.name) went away while it was read",
                    fix: "run the audit again"))
        }
        let guarded = Set((posts + gone).map(\.endpoint)).union(vanished)
        for (place, endpoint) in policies.topology.endpoints.enumerated()
        where !guarded.contains(place) {
            audit.unproven.append(
                Unproven(
                    reason: "\(endpoint.tenant)/\(endpoint.name) has no veth with its other end in "
                        + "the host namespace",
                    fix: "connect it by a veth; until then only its table stands before it"))
        }
        for link in unguarded
        where guarded.contains(link.endpoint) && !vanished.contains(link.endpoint) {
            let endpoint = policies.topology.endpoints[link.endpoint]
            audit.unproven.append(
                Unproven(
                    reason:
                        "\(endpoint.tenant)/\(endpoint.name): \(link.interface) is no veth with its "
                        + "other end in the host namespace",
                    fix: "take it away; until then only its table stands before it"))
        }
    }

    mutating func report(
        _ kind: HostFilterFinding.Kind, _ post: HostPost?, _ place: String, _ reason: String
    ) {
        audit.findings.append(
            HostFilterFinding(
                kind: kind, endpoint: post.map { party($0.endpoint) }, interface: post?.name,
                place: place, reason: reason))
    }

    private func text(_ address: [UInt8]) -> String {
        address.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: ":")
    }
}
