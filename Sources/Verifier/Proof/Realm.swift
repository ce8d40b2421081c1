internal import NetTypes

/// Which packets there can be at all: what the kernel drops before it asks any rule, and states
/// that connection tracking never gives, are no counterexamples.
struct Realm {
    let scenario: Scenario
    let fields: ProofFields
    /// Who can send what comes through other devices than the loopback device, and to whom.
    private let senders: IntervalSet<UInt128>
    private let receivers: IntervalSet<UInt128>

    init(
        scenario: Scenario, deliverable: IntervalSet<UInt128>, own: IntervalSet<UInt128>,
        fields: ProofFields
    ) {
        self.scenario = scenario
        self.fields = fields
        let all = IntervalSet<UInt128>(0...Domain.greatest(bytes: scenario.addressWidth))
        let isV4 = scenario.family == .v4
        senders =
            scenario.way == .outgoing ? all : all.subtracting(Self.impossibleSenders(isV4: isV4))
        receivers =
            scenario.way == .incoming
            ? deliverable : all.subtracting(own).subtracting(Self.loopbacks(isV4: isV4))
    }

    private static let requests4: [UInt128] = [8, 13, 15, 17]
    private static let requests6: [UInt128] = [128, 139]
    private static let errors4: [UInt128] = [3, 4, 5, 11, 12]
    /// Connection tracking takes every type below 128 for an error (`nf_conntrack_icmpv6_error` in
    /// net/netfilter/nf_conntrack_proto_icmpv6.c).
    private static let errors6: [UInt128] = Array(0...127) + [137]

    private var isV4: Bool { scenario.family == .v4 }
    private var width: Int { scenario.addressWidth }

    /// The packets of a space that can be; cut where that depends on several fields.
    func possible(_ space: Space) -> [Space] {
        onWire(space).flatMap { tracked($0) }
    }

    /// Loopback, group and broadcast addresses don't come through other devices as senders, and
    /// only what is addressed to the endpoint is delivered to it.
    private func onWire(_ space: Space) -> [Space] {
        let place = scenario.way == .outgoing ? Place.output : Place.input
        let (loopback, others) = space.domain(place, width: 4)
            .split(by: IntervalSet(1...1), bytes: 4)
        var spaces: [Space] = []
        if !loopback.isEmpty { spaces.append(space.setting(place, loopback)) }
        guard !others.isEmpty else { return spaces }
        var rest = space.setting(place, others)
        for (field, allowed) in [(Place.source, senders), (Place.destination, receivers)] {
            let domain = rest.domain(field, width: width).intersection(allowed, bytes: width)
            if domain.isEmpty { return spaces }
            rest.set(field, domain)
        }
        return spaces + [rest]
    }

    private static func loopbacks(isV4: Bool) -> IntervalSet<UInt128> {
        isV4 ? IntervalSet(0x7f00_0000...0x7fff_ffff) : IntervalSet(1...1)
    }

    private static func impossibleSenders(isV4: Bool) -> IntervalSet<UInt128> {
        isV4
            ? IntervalSet([0...0xff_ffff, 0x7f00_0000...0x7fff_ffff, 0xe000_0000...0xffff_ffff])
            : IntervalSet([0...1, (0xff << 120)...UInt128.max])
    }

    /// What connection tracking takes as part of a flow.
    private func tracked(_ space: Space) -> [Space] {
        switch scenario.flow {
        case .none: return [space]
        case .first: return flow(space, layer4: Place.layer4)
        case .known(let isReply):
            let spaces = flow(space, layer4: Place.layer4)
            return isReply ? spaces.flatMap { answering($0) } : spaces
        case .error:
            let errors = isV4 ? Self.errors4 : Self.errors6
            let icmp = UInt128(scenario.icmp)
            guard let one = narrowed(space, Place.layer4, 1, [icmp...icmp]),
                let two = narrowed(one, fields.type, 1, errors.map { $0...$0 })
            else { return [] }
            return flow(two, layer4: fields.flowProtocol)
        }
    }

    /// Whether some packet of a space can belong to a flow that connection tracking keeps.
    func hasFlows(_ space: Space) -> Bool {
        let layer4 = scenario.isError ? fields.flowProtocol : Place.layer4
        return !flow(space, layer4: layer4).isEmpty
    }

    /// Ports where a protocol has them, requests of ICMP, and 0 elsewhere.
    private func flow(_ space: Space, layer4: Int) -> [Space] {
        let icmp = UInt128(scenario.icmp)
        // GRE of version 1 has its keys in place of ports (`gre_pkt_to_tuple` in
        // net/netfilter/nf_conntrack_proto_gre.c).
        let withPorts: [ClosedRange<UInt128>] = [
            6...6, 17...17, 33...33, 47...47, 132...132, 136...136,
        ]
        let others = IntervalSet<UInt128>(0...255)
            .subtracting(IntervalSet(withPorts + [1...1, 58...58])).ranges
        let requests = (isV4 ? Self.requests4 : Self.requests6).map { $0 << 8...($0 << 8 | 0xff) }
        return [
            narrowed(space, layer4, 1, withPorts),
            narrowed(space, layer4, 1, [icmp...icmp])
                .flatMap { narrowed($0, Place.flowDestination, 2, requests) },
            narrowed(space, layer4, 1, others)
                .flatMap { narrowed($0, Place.flowDestination, 2, [0...0]) }
                .flatMap { narrowed($0, Place.flowSource, 2, [0...0]) },
        ].compactMap(\.self)
    }

    /// The answers to ICMP's requests have types of their own.
    private func answering(_ space: Space) -> [Space] {
        let icmp = UInt128(scenario.icmp)
        let answers = isV4 ? Self.requests4.map { $0 == 8 ? 0 : $0 + 1 } : [129, 140]
        let others = IntervalSet<UInt128>(0...255).subtracting(IntervalSet(icmp...icmp)).ranges
        return [
            narrowed(space, Place.layer4, 1, others),
            narrowed(space, Place.layer4, 1, [icmp...icmp])
                .flatMap { narrowed($0, fields.type, 1, answers.map { $0...$0 }) },
        ].compactMap(\.self)
    }

    private func narrowed(
        _ space: Space, _ field: Int, _ width: Int, _ ranges: [ClosedRange<UInt128>]
    ) -> Space? {
        let domain = space.domain(field, width: width)
            .intersection(IntervalSet(ranges), bytes: width)
        return domain.isEmpty ? nil : space.setting(field, domain)
    }
}

/// The numbers of fields that the proof looks at beside those that are always there.
struct ProofFields {
    let state: Int
    /// The first byte behind the IP headers.
    let type: Int
    let transportLength: Int
    /// The protocol of the flow that an error message is about.
    let flowProtocol: Int
    /// The bytes of the packet's own destination port.
    let port: (high: Int, low: Int)

    init(_ fields: inout FieldTable) {
        state = fields.number(of: .ct(0, 2), width: 4)
        type = fields.number(of: .payload(.transport, offset: 0))
        transportLength = fields.number(of: .length(.transport), width: 2)
        flowProtocol = fields.number(of: .ct(10, 2))
        port = (
            fields.number(of: .payload(.transport, offset: 2)),
            fields.number(of: .payload(.transport, offset: 3))
        )
    }
}
