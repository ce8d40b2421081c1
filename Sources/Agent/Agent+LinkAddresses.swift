internal import AgentCore
internal import HostFilter
internal import Linux
internal import Logging
internal import NetTypes
internal import Policy
internal import Reports

extension Agent {
    /// Which link-layer address may be used behind each of the host's veth ends, 6 bytes.
    ///
    /// Where none may be used they are zeros, which no frame from a bridge's port can have
    /// (`br_handle_frame` in net/bridge/br_input.c).
    ///
    /// - Parameters:
    ///   - host: The host namespace.
    ///   - filter: Knows what an earlier agent let them use.
    ///   - numbers: The endpoints' numbers in the filter.
    /// - Returns: The address by the index of the host's end.
    func linkAddresses(
        on host: ObservedNamespace, _ filter: HostFilter, _ numbers: [NamespaceID: UInt32]
    ) -> [Int32: [UInt8]] {
        let ends = host.veths
        let found = observed.values.filter { $0.id != host.id }.flatMap { $0.ends(among: ends) }
        var known: [VethEnd.Key: [UInt8]] = [:]
        for end in found {
            guard let post = filter.post(at: end.key.end),
                post.number == numbers[end.key.namespace],
                post.hardwareAddress.contains(where: { $0 != 0 })
            else { continue }
            known[end.key] = post.hardwareAddress
        }
        var claims = ledger.linkAddresses ?? LinkAddressClaims()
        var neighbours: [Neighbour]?
        let refusals = claims.settle(
            found, hosts: Self.hardwareAddresses(of: host), known: known
        ) { address, end in
            let all = neighbours ?? self.neighbours(of: host.id)
            neighbours = all
            let own = observed[end.key.namespace]?.addresses ?? []
            return all.contains { $0.isElsewhere(address, end, own) }
        }
        if claims != ledger.linkAddresses {
            ledger.linkAddresses = claims
            saveSoon()
        }
        tell(refusals)
        return found.reduce(into: [:]) { addresses, end in
            let address = claims.address(of: end.key) ?? []
            addresses[end.key.end] = address.isEmpty ? [UInt8](repeating: 0, count: 6) : address
        }
    }

    /// What the host itself has on each broadcast domain: a bridge with its ports, or a veth's end.
    private static func hardwareAddresses(of host: ObservedNamespace) -> [Int32: Set<[UInt8]>] {
        var addresses: [Int32: Set<[UInt8]>] = [:]
        for interface in host.interfaces where interface.hardwareAddress.count == 6 {
            for segment in [interface.index, interface.controllerIndex].compactMap(\.self) {
                addresses[segment, default: []].insert(interface.hardwareAddress)
            }
        }
        return addresses
    }

    /// Where the host's tables can't be read, nothing is known to be elsewhere.
    private func neighbours(of host: NamespaceID) -> [Neighbour] {
        do throws(SystemError) {
            return try tenures[host]?.neighbours() ?? []
        } catch {
            logger.warning("the host's neighbours can't be read: \(error)")
            return []
        }
    }

    private func tell(_ refusals: [LinkAddressClaims.Refusal]) {
        let conflicts = refusals.map { ConflictStatus($0) }
        for conflict in conflicts where !linkAddressConflicts.contains(conflict) {
            let claimants = conflict.claimants.joined(separator: ", ")
            logger.warning("\(conflict.subject) (\(claimants)): \(conflict.message)")
        }
        linkAddressConflicts = conflicts
    }

    /// Decides again about addresses that namespaces changed to: what has it by right may have been silent.
    func recheckLinkAddresses() {
        guard ledger.linkAddresses?.hasChanges ?? false else { return }
        applyHostFilter(to: [NamespaceID]())
    }
}

extension ObservedNamespace {
    /// Its veths that end in the host namespace.
    fileprivate func ends(among ends: [Int32: ObservedInterface]) -> [VethEnd] {
        interfaces.compactMap { interface in
            hostEnd(of: interface, among: ends).map { end in
                VethEnd(
                    key: .init(namespace: id, interface: interface.index, end: end.index),
                    name: name, segment: end.controllerIndex ?? end.index,
                    current: interface.hardwareAddress)
            }
        }
    }
}

extension Neighbour {
    /// Whether the address was seen on the veth's link, but not at the veth: at another port of its bridge, or
    /// with an IP address that the namespace doesn't have.
    fileprivate func isElsewhere(
        _ address: [UInt8], _ end: VethEnd, _ own: [IPAddress]
    ) -> Bool {
        guard hardwareAddress == address else { return false }
        if let bridge { return bridge == end.segment && link != end.key.end }
        guard link == end.segment, let ip = self.address else { return false }
        return !own.contains(ip)
    }
}

extension ConflictStatus {
    /// A link-layer address that a namespace may not use.
    fileprivate init(_ refusal: LinkAddressClaims.Refusal) {
        let digits = refusal.address.map { byte in
            let text = String(byte, radix: 16)
            return text.count == 1 ? "0" + text : text
        }
        self.init(
            subject: digits.joined(separator: ":"), claimants: [refusal.claimant],
            keeper: refusal.keeper,
            message: "\(refusal.keeper) keeps the link-layer address, "
                + "and \(refusal.claimant) may not use it; set the address back that its interface had first, or delete "
                + "its veth and create it with another address")
    }
}
