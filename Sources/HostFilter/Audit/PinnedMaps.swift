internal import CBPF
internal import Glibc
internal import Linux
internal import NetTypes
internal import Verifier

/// The pinned maps, opened to be read.
final class PinnedMaps {
    private let generation: BPFMap<UInt32, UInt64>
    private let endpoints: BPFMap<UInt32, rf_endpoint>
    private let recent: BPFMap<UInt32, rf_recent>
    private let judgements: BPFMap<UInt32, rf_judgement>
    private let own: BPFMap<rf_own_key, UInt32>
    private let locals: BPFMap<rf_address, UInt32>
    private let peers: BPFMap<rf_peer_key, UInt32>
    private let networks: BPFMap<rf_network_key, UInt32>
    private let shapes: BPFMap<rf_shape_key, UInt32>
    private let admissions: BPFMap<rf_admission_key, rf_admission>
    private let rules: BPFMap<UInt32, UInt64>
    private let flows: FlowTable?
    private let overflowFlows: BPFMap<rf_flow_key, rf_flow>
    private let overflowUsed: BPFMap<UInt32, UInt32>
    private let refused: BPFMap<rf_refused_key, rf_refused>
    private let usage: BPFMap<UInt32, UInt64>
    private let flowSeeds: BPFMap<UInt32, rf_seeds>
    private let processors = Int(libbpf_num_possible_cpus())

    /// - Parameters:
    ///   - folder: Where they are pinned.
    ///   - seeds: Those that programs hash flows with; nil where none runs that could know a flow.
    /// - Throws: ENOENT for one that is not there.
    init(_ folder: String, seeds: rf_seeds?) throws(BPFError) {
        func raw(_ name: String) throws(BPFError) -> CInt {
            let path = folder + "/" + name
            return try checkBPF("open \(path)") { bpf_obj_get(path) }
        }
        generation = try BPFMap("generation", owning: raw("generation"))
        endpoints = try BPFMap("endpoints", owning: raw("endpoints"))
        recent = try BPFMap("recent", owning: raw("recent"))
        judgements = try BPFMap("judgements", owning: raw("judgements"))
        own = try BPFMap("own", owning: raw("own"))
        locals = try BPFMap("locals", owning: raw("locals"))
        peers = try BPFMap("peers", owning: raw("peers"))
        networks = try BPFMap("networks", owning: raw("networks"))
        shapes = try BPFMap("shapes", owning: raw("shapes"))
        admissions = try BPFMap("admissions", owning: raw("admissions"))
        rules = try BPFMap("rules", owning: raw("rules"))
        overflowFlows = try BPFMap("overflow_flows", owning: raw("overflow_flows"))
        overflowUsed = try BPFMap("overflow_used", owning: raw("overflow_used"))
        refused = try BPFMap("refused", owning: raw("refused"))
        usage = try BPFMap("usage", owning: raw("usage"))
        flowSeeds = try BPFMap("flow_seeds", owning: raw("flow_seeds"))
        if let seeds {
            flows = FlowTable(
                tags: try BPFMap("flow_tags", owning: raw("flow_tags")),
                places: try BPFMap("flows", owning: raw("flows")), seeds: seeds)
        } else {
            flows = nil
        }
    }

    /// Reads everything that packets are judged by.
    func read(into state: inout HostFilterState) throws(BPFError) {
        try readEndpoints(&state)
        try readPolicy(&state)
        try readFlows(&state)
        try readJudgements(&state)
    }

    private func readEndpoints(_ state: inout HostFilterState) throws(BPFError) {
        let now = try generation.value(of: 0) ?? 0
        state.entries = [:]
        state.remembered = [:]
        for (interface, endpoint) in try endpoints.entries() {
            state.entries[interface] = HostEntry(endpoint)
        }
        for place in 0..<UInt32(RF_RECENT) {
            for copy in try recent.steadyValues(at: place, processors: processors)
            where copy.generation == now && copy.interface != 0
                && copy.interface % UInt32(RF_RECENT) == place
            {
                state.remembered[copy.interface, default: []].insert(HostEntry(copy.endpoint))
            }
        }
        state.own = [:]
        // Keys that the programs never ask for open nothing: of those, only what is asked for counts.
        for (key, _) in try own.entries() where key.zero == 0 {
            state.own[key.endpoint, default: []].insert(key.address.number)
        }
        state.locals = Set(try locals.entries().map(\.key.number))
        state.counts["endpoints"] = state.entries.count
        state.counts["own"] = state.own.values.reduce(0) { $0 + $1.count }
        state.counts["locals"] = state.locals.count
    }

    private func readPolicy(_ state: inout HostFilterState) throws(BPFError) {
        state.peers = [:]
        for (key, peerClass) in try peers.entries() {
            let known = HostPeerKey(
                endpoint: key.endpoint, sender: key.source, address: key.address.number)
            state.peers[known] = peerClass
        }
        state.networks = try networks.entries().map { key, peerClass in
            HostNetwork(
                endpoint: key.endpoint.bigEndian, address: key.address.number,
                length: Int(key.prefix_length), peerClass: peerClass)
        }
        state.shapes = [:]
        for (key, shape) in try shapes.entries() where Self.isAsked(UInt32(key.direction)) {
            let known = HostClassKey(
                endpoint: key.endpoint, peerClass: key.peer_class,
                isEgress: key.direction == RF_EGRESS.rawValue)
            state.shapes[known] = shape
        }
        state.admissions = [:]
        for (key, admission) in try admissions.entries()
        where Self.isAsked(UInt32(key.direction)) {
            let known = HostClassKey(
                endpoint: UInt32(key.endpoint), peerClass: key.peer_class,
                isEgress: UInt32(key.direction) == RF_EGRESS.rawValue)
            state.admissions[known, default: []].append(HostAdmission(key, admission))
        }
        state.rules = [:]
        for slot in 0..<UInt32(rules.capacity) {
            if let rule = try rules.value(of: slot), rule != 0 { state.rules[slot] = rule }
        }
        state.counts["peers"] = state.peers.count
        state.counts["networks"] = state.networks.count
        state.counts["shapes"] = state.shapes.count
        state.counts["admissions"] = state.admissions.values.reduce(0) { $0 + $1.count }
        state.counts["rules"] = state.rules.count
    }

    /// Whether it is a direction that the programs know.
    private static func isAsked(_ direction: UInt32) -> Bool {
        direction == RF_EGRESS.rawValue || direction == RF_INGRESS.rawValue
    }

    private func readFlows(_ state: inout HostFilterState) throws(BPFError) {
        state.flowSeeds = try flowSeeds.value(of: 0)?.numbers ?? []
        var all = try flows?.reachable() ?? []
        if try overflowUsed.value(of: 0) ?? 0 != 0 {
            // The programs find them by the map's keys and don't read the copies within.
            all += try overflowFlows.entries().map { key, value in
                var flow = value
                flow.key = key
                return flow
            }
        }
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        let now = UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
        state.flows = all.filter { flow in
            now <= flow.seen
                || now - flow.seen <= HostFilter.timeout(flow.key.protocol, flow.state)
        }
        .map { HostFlow($0) }
        let current = try generation.value(of: 0) ?? 0
        state.refusals = []
        for (key, known) in try refused.entries() {
            guard known.generation == current, key.reason == RF_REFUSED.rawValue,
                key.is_portless == 0, key.protocol == 6 || key.protocol == 17,
                key.endpoint <= 0xffff,
                try usage.value(of: HostFilter.usage(of: key.endpoint, RF_USAGE_REFUSED)) ?? 0 > 0
            else { continue }
            state.refusals.append(HostFlow(key))
        }
        state.counts["flows"] = all.count
        state.counts["refused"] = state.refusals.count
    }
}

extension PinnedMaps {
    /// What stands where the programs look for it, and is of the policy in force.
    private func readJudgements(_ state: inout HostFilterState) throws(BPFError) {
        let now = try generation.value(of: 0) ?? 0
        state.judgements = []
        guard now != 0 else { return }
        for place in 0..<UInt32(RF_JUDGEMENTS) {
            for last in try judgements.steadyValues(at: place, processors: processors)
            where last.generation == now && Self.isAsked(UInt32(last.who >> 24 & 0xff)) {
                var remote = last.remote
                let isEgress = UInt32(last.who >> 24 & 0xff) == RF_EGRESS.rawValue
                guard rf_judgement_place(last.who, &remote, last.port) == place,
                    last.port <= 0xffff, !isEgress || last.who >> 32 == 0
                else { continue }
                state.judgements.insert(HostJudgement(last))
            }
        }
    }
}

extension HostJudgement {
    fileprivate init(_ last: rf_judgement) {
        let isEgress = UInt32(last.who >> 24 & 0xff) == RF_EGRESS.rawValue
        let ipProtocol = UInt8(truncatingIfNeeded: last.who >> 16)
        let isMessage = ipProtocol == 1 || ipProtocol == 58
        let port = UInt16(truncatingIfNeeded: last.port)
        let isRemote = isEgress || isMessage
        self.init(
            flow: HostFlow(
                endpoint: UInt32(last.who & 0xffff), isEgress: isEgress, local: 0,
                remote: last.remote.number, ipProtocol: ipProtocol,
                localPort: isRemote ? 0 : port, remotePort: isRemote ? port : 0,
                sender: UInt32(last.who >> 32), slot: last.slot, mark: last.mark),
            isAdmitted: last.reason == RF_ADMITTED.rawValue)
    }
}

extension rf_address {
    /// As a number, whose highest byte is the first.
    var number: UInt128 { withUnsafeBytes(of: words) { UInt128(networkBytes: $0) } }
}

extension HostEntry {
    fileprivate init(_ endpoint: rf_endpoint) {
        let addresses = withUnsafeBytes(of: endpoint.addresses) { bytes in
            Set(bytes.bindMemory(to: rf_address.self).map(\.number))
        }
        self.init(
            number: endpoint.number,
            hardwareAddress: withUnsafeBytes(of: endpoint.mac) { Array($0) },
            addresses: endpoint.address_count == 0 ? nil : addresses,
            ingressShapes: endpoint.shapes.0, egressShapes: endpoint.shapes.1)
    }
}

extension HostAdmission {
    fileprivate init(_ key: rf_admission_key, _ admission: rf_admission) {
        self.init(
            ipProtocol: key.protocol, protocolBits: key.protocol_bits, port: key.port,
            portBits: key.port_bits, slot: admission.slot, mark: admission.mark)
    }
}

extension HostFlow {
    fileprivate init(_ flow: rf_flow) {
        let isMessage = flow.key.protocol == 1 || flow.key.protocol == 58
        // Which requests are found by it the key says; rules name no ports of UDP-Lite and DCCP.
        let isAsking = flow.key.is_asking == 1
        let hasPorts = flow.key.protocol != 33 && flow.key.protocol != 136
        self.init(
            endpoint: UInt32(flow.key.endpoint),
            isEgress: isMessage ? isAsking : UInt32(flow.direction) == RF_EGRESS.rawValue,
            local: flow.key.local.number, remote: flow.key.remote.number,
            ipProtocol: flow.key.protocol, localPort: hasPorts ? flow.key.local_port : 0,
            remotePort: hasPorts ? flow.key.remote_port : 0,
            sender: flow.remote == RF_UNKNOWN ? nil : flow.remote,
            slot: flow.slot, mark: flow.mark)
    }

    fileprivate init(_ key: rf_refused_key) {
        let isEgress = UInt32(key.hook) == RF_FROM.rawValue
        self.init(
            endpoint: key.endpoint, isEgress: isEgress,
            local: isEgress ? key.source.number : key.destination.number,
            remote: isEgress ? key.destination.number : key.source.number,
            ipProtocol: key.protocol,
            localPort: isEgress ? key.source_port : key.destination_port,
            remotePort: isEgress ? key.destination_port : key.source_port, sender: key.sender)
    }
}
