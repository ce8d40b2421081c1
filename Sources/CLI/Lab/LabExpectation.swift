internal import Lab
internal import Linux
internal import NetTypes
internal import Policy

/// What policies say about a lab: the reference evaluator on the addresses that its namespaces have.
struct LabExpectation {
    private let policies: PolicySet
    private let topology: Topology
    private let addresses: [String: [IPAddress]]

    /// Reads the addresses as an agent would.
    init(policies reading: PolicyReading, lab: Lab, places: [ProbePlace]) throws {
        policies = reading.policies ?? .empty
        let host = try ObservedNamespace(lookingAt: lab.fabricPath)
        let observed = try places.map { try ObservedNamespace(lookingAt: $0.path) }
        topology = policies.topology(observed: observed + [host], host: host.id)
        addresses = Dictionary(uniqueKeysWithValues: places.map { ($0.name, $0.addresses) })
    }

    /// What both ends say; nil where a namespace has no address of the family.
    func verdict(_ question: ProbeMatrix.Question) -> FlowVerdict? {
        guard let source = address(question.source, question.family),
            let destination = address(question.destination, question.family)
        else { return nil }
        return policies.verdict(
            for: Flow(
                source: source, destination: destination,
                ipProtocol: question.listener.ipProtocol, sourcePort: 40_000,
                destinationPort: question.listener.port),
            in: topology)
    }

    private func address(_ name: String, _ family: AddressFamily) -> IPAddress? {
        addresses[name]?.first { $0.family == family }
    }
}

extension ObservedNamespace {
    /// Reads what is mounted at a path; only its addresses are kept.
    fileprivate init(lookingAt path: String) throws {
        let namespace = try NetworkNamespace(at: path)
        var socket = try RouteSocket(in: namespace)
        let interface = ObservedInterface(
            index: 0, name: "", kind: nil, hardwareAddress: [], isUp: true, peerIndex: nil,
            controllerIndex: nil, addresses: try socket.addresses().map(\.address))
        self.init(id: namespace.id, paths: [path], pids: [], interfaces: [interface])
    }
}
