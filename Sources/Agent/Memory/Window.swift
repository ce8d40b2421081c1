internal import NetTypes
internal import Reports
internal import Rules

/// An hour of refusals: which flows were counted in it, and how many records it has room for.
///
/// A flood of flows must make few records and right counts. Beyond the first few of a pair, flows
/// are put together: first those that differ in the caller's port only, then those of all ports,
/// then, at an endpoint with many strangers, those of all addresses that are no endpoint's.
struct Window {
    private let hour: Int64
    /// Flows that were counted in this window, by their hashes.
    private var flows: Set<Int> = []
    /// Records of their own, by pair.
    private var individuals: [RefusalBook.Pair: Int] = [:]
    /// Records without the caller's port, by pair.
    private var services: [RefusalBook.Pair: Int] = [:]
    /// Records of any kind, by endpoint.
    private var endpoints: [NamespaceID: Int] = [:]

    private static let milliseconds: Int64 = 3_600_000
    private static let greatestIndividuals = 256
    private static let greatestServices = 64
    private static let greatestRecords = 1024
    /// Beyond so many, a flow that was forgotten by the kernel and comes again counts again.
    private static let greatestFlows = 1 << 17

    /// The window that a moment lies in; records of it that are known already take their room.
    init(at now: Timestamp, _ known: some Sequence<RefusalBook.Record>) {
        hour = Self.hour(of: now)
        for record in known where contains(record.first) {
            _ = note(record.key)
            admit(record.key, RefusalBook.Pair(record.attribution, record.key.layer))
        }
    }

    func contains(_ moment: Timestamp) -> Bool { Self.hour(of: moment) == hour }

    private static func hour(of moment: Timestamp) -> Int64 {
        moment.milliseconds.quotientAndRemainder(dividingBy: milliseconds).quotient
    }

    /// Whether the flow is new in this window.
    mutating func note(_ key: RefusalBook.Key) -> Bool {
        guard flows.count < Self.greatestFlows else { return !flows.contains(key.hashValue) }
        return flows.insert(key.hashValue).inserted
    }

    /// A record was made.
    mutating func admit(_ key: RefusalBook.Key, _ pair: RefusalBook.Pair) {
        endpoints[key.endpoint, default: 0] += 1
        if key.flow.sourcePort != 0 || key.flow.destinationPort == 0 {
            individuals[pair, default: 0] += 1
        } else {
            services[pair, default: 0] += 1
        }
    }

    /// The key of the record that the flow belongs to.
    func room(for key: RefusalBook.Key, _ pair: RefusalBook.Pair) -> RefusalBook.Key {
        if endpoints[key.endpoint, default: 0] >= Self.greatestRecords {
            return key.with(ports: (0, 0), isAnyStranger: true, pair)
        }
        if individuals[pair, default: 0] < Self.greatestIndividuals { return key }
        if services[pair, default: 0] < Self.greatestServices {
            return key.with(ports: (0, key.flow.destinationPort), isAnyStranger: false, pair)
        }
        return key.with(ports: (0, 0), isAnyStranger: false, pair)
    }
}

extension RefusalBook.Key {
    /// The key of flows that are put together.
    fileprivate func with(
        ports: (source: UInt16, destination: UInt16), isAnyStranger: Bool,
        _ pair: RefusalBook.Pair
    ) -> RefusalBook.Key {
        RefusalBook.Key(
            endpoint: endpoint,
            flow: RefusedFlow(
                reason: flow.reason,
                source: isAnyStranger ? flow.source.any(pair.source) : flow.source,
                destination: isAnyStranger
                    ? flow.destination.any(pair.destination) : flow.destination,
                ipProtocol: flow.ipProtocol, sourcePort: ports.source,
                destinationPort: ports.destination),
            host: host, ends: ends)
    }
}

extension IPAddress {
    /// The unspecified address in place of a stranger's.
    fileprivate func any(_ party: PartyName) -> IPAddress {
        guard party.kind == .world || party.kind == .address else { return self }
        return family == .v4 ? .v4(0) : .v6(0)
    }
}
