internal import NetTypes
internal import Policy

extension HostEndpointProof {
    mutating func report(
        _ difference: Difference, _ direction: Direction, _ sender: UInt32, _ address: UInt128,
        _ peerClass: UInt32, _ refusal: String?
    ) {
        let key = FindingKey(
            kind: difference.kind, direction: direction, rule: difference.rule?.id,
            mark: difference.admission?.mark, isKnown: sender != 0)
        guard findings.count < Self.findingLimit, reported.insert(key).inserted else { return }
        let expectation =
            difference.rule.map(Expectation.admitted)
            ?? refusal.map(Expectation.refused) ?? .noRule
        findings.append(
            HostFilterFinding(
                kind: difference.kind, endpoint: party(place), interface: interface,
                packet: packet(
                    direction, sender, address, difference.ipProtocol, difference.port),
                policy: expectation.side, place: way(direction, sender, address, peerClass),
                reason: words(difference)))
    }

    mutating func report(_ finding: HostFilterFinding) {
        if findings.count < Self.findingLimit { findings.append(finding) }
    }

    mutating func report(_ reason: Unproven) {
        if unproven.count < Self.findingLimit { unproven.append(reason) }
    }

    private func words(_ difference: Difference) -> String {
        guard let admission = difference.admission else { return "no live admission covers it" }
        let block =
            "protocol \(admission.ipProtocol)/\(admission.protocolBits) "
            + "port \(admission.port)/\(admission.portBits)"
        let rule = ruleOf[admission.mark].flatMap { credited in
            policies.openings(of: place).lazy.flatMap(\.rules).first { $0.id == credited.rule }
        }
        let name = rule.map { ", the rule of \($0.policy.name) at \($0.place)" } ?? ""
        return "the admission of \(block) passes it by mark \(hex(admission.mark)) "
            + "in slot \(admission.slot)\(name)"
    }

    /// Where the programs find a peer's class.
    private func way(
        _ direction: Direction, _ sender: UInt32, _ address: UInt128, _ peerClass: UInt32
    ) -> String {
        let text = HostAddress.address(address)
        if direction == .ingress, sender == 0, index.state.locals.contains(address) {
            return "locals: \(text) is a local endpoint's"
        }
        let isExact = index.peerClass(at: number, sender: sender, address) != 0
        let map = isExact || sender != 0 ? "peers" : "networks"
        let who =
            sender == 0 ? "\(text)" : isExact ? "\(text) from \(sender)" : "any from \(sender)"
        return "\(map) of endpoint \(number): \(who) has "
            + (peerClass == 0 ? "no class" : "class \(hex(peerClass))")
    }

    func packet(
        _ direction: Direction, _ sender: UInt32, _ remote: UInt128, _ ipProtocol: UInt8,
        _ port: UInt16, local: UInt128? = nil
    ) -> CounterexamplePacket {
        let far = HostAddress.address(remote)
        let near = local.map(HostAddress.address) ?? localAddress(far.family)
        let isEgress = direction == .egress
        let dhcp = DHCP.ports(far.family)
        let isDHCP =
            ipProtocol == DHCP.ipProtocol.rawValue && [dhcp.client, dhcp.server].contains(port)
        let number = isDHCP ? .udp : IPProtocol(rawValue: ipProtocol)
        let caller: UInt16 = isDHCP ? port ^ dhcp.client ^ dhcp.server : 40_000
        let mark = index.state.mark(of: sender)
        return CounterexamplePacket(
            direction: isEgress ? .outgoing : .incoming, source: isEgress ? near : far,
            destination: isEgress ? far : near, ipProtocol: number,
            sourcePort: number.hasPorts ? caller : nil,
            destinationPort: number.hasPorts ? port : nil,
            type: number.isICMP ? UInt8(port >> 8) : nil,
            code: number.isICMP ? UInt8(port & 0xff) : nil, interface: interface,
            details: sender == 0 || isEgress ? [] : ["packet mark 0x\(String(mark, radix: 16))"])
    }

    /// An address of the endpoint, or a group where it has none of the family.
    private func localAddress(_ family: AddressFamily) -> IPAddress {
        let all = own.sorted().map(HostAddress.address).filter { $0.family == family }
        let preferred = all.first { known.contains(HostAddress.number($0)) }
        let group: IPAddress = family == .v4 ? .v4(0xe000_00fb) : .v6(0xff02 << 112 | 0xfb)
        return preferred ?? all.first ?? group
    }

    func party(_ place: Int) -> PartyNamed {
        let endpoint = policies.topology.endpoints[place]
        return PartyNamed(tenant: endpoint.tenant, endpoint: endpoint.name)
    }
}
