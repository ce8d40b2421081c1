import NetTypes
import Policy
import TestSupport
import Testing

/// Assertions held against the reference evaluator, which judges single flows and knows nothing of
/// sets.
@Suite struct ReachabilityTests {
    private static let seeds: [UInt64] = (1...60).map { 7_000 + $0 }

    @Test(arguments: seeds)
    func `agrees with the evaluator on random policies`(_ seed: UInt64) throws {
        let policies = try RandomPolicies(seed: seed).policySet()
        let topology = SmallWorld().topology(of: policies)
        let reachability = Reachability(policies, in: topology)
        var generator = SeededGenerator(seed: seed)
        for claim in [Assertion.Claim.noPath, .onlyFrom, .reachable] {
            for isTransitive in [false, true] {
                let assertion = generator.assertion(claim, isTransitive: isTransitive)
                let answer = reachability.answer(assertion)
                expectTrue(answer, of: assertion, policies, topology)
                guard answer.holds, !isTransitive else { continue }
                for _ in 0..<400 {
                    let flow = generator.flow(in: topology)
                    expectKept(assertion, by: flow, policies, topology, seed)
                }
            }
        }
    }

    /// Whatever the evaluator admits stands in the summary, with the rule that admits it.
    @Test(arguments: seeds)
    func `the summary leaves out nothing that is open`(_ seed: UInt64) throws {
        let policies = try RandomPolicies(seed: seed).policySet()
        let topology = SmallWorld().topology(of: policies)
        let cells = Reachability(policies, in: topology).summary().cells
        let places = Dictionary(grouping: cells) { [$0.source, $0.destination] }
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<600 {
            let flow = generator.flow(in: topology)
            guard flow.source.family == flow.destination.family,
                let source = topology.party(with: flow.source),
                let destination = topology.party(with: flow.destination)
            else { continue }
            let verdict = policies.verdict(for: flow, in: topology)
            guard verdict.isAdmitted,
                let rule = verdict.ingress?.rule ?? verdict.egress?.rule
            else { continue }
            let cell = places[[source, destination]]?.first
            #expect(
                cell?.rules.contains { $0.id == rule.id } == true, "seed \(seed): \(flow)")
        }
        #expect(places.values.allSatisfy { $0.count == 1 })
    }

    /// Each hop of a violation must be one that the evaluator admits, or, where something isn't
    /// reached, refuses.
    private func expectTrue(
        _ answer: AssertionAnswer, of assertion: Assertion, _ policies: PolicySet,
        _ topology: Topology
    ) {
        for violation in answer.violations {
            let isGap = violation.reason.contains("can't reach")
            for hop in violation.path {
                let flow = Flow(
                    source: hop.source.address, destination: hop.destination.address,
                    ipProtocol: hop.ipProtocol, sourcePort: isGap ? 0 : Self.server(of: hop.port),
                    destinationPort: hop.port ?? 0)
                let verdict = policies.verdict(for: flow, in: topology)
                #expect(verdict.isAdmitted != isGap, "\(assertion.statement): \(violation)")
            }
            for (one, next) in zip(violation.path, violation.path.dropFirst()) {
                #expect(one.destination.party == next.source.party, "\(violation)")
            }
        }
    }

    /// The port that messages of DHCP to a port come from; 0 for other ports.
    private static func server(of port: UInt16?) -> UInt16 {
        AddressFamily.allCases.map { DHCP.ports($0) }.first { $0.client == port }?.server
            ?? AddressFamily.allCases.map { DHCP.ports($0) }.first { $0.server == port }?.client
            ?? 0
    }

    private func expectKept(
        _ assertion: Assertion, by flow: Flow, _ policies: PolicySet, _ topology: Topology,
        _ seed: UInt64
    ) {
        guard flow.source.family == flow.destination.family else { return }
        let source = topology.endpoint(with: flow.source)
        let destination = topology.endpoint(with: flow.destination)
        guard source != nil || destination != nil, source?.id != destination?.id else { return }
        let isFrom = assertion.from.mean(flow.source, policies, topology)
        guard assertion.to.mean(flow.destination, policies, topology) else { return }
        let isAdmitted = policies.verdict(for: flow, in: topology).isAdmitted
        let names = destination.flatMap { policies.tenants[$0.tenant]?.ports } ?? []
        let isOver =
            assertion.services.isEmpty
            || assertion.services.contains {
                $0.admits(flow.ipProtocol, destinationPort: flow.destinationPort, names: names)
            }
        switch assertion.claim {
        case .noPath:
            if isFrom, isOver { #expect(!isAdmitted, "seed \(seed): \(assertion), \(flow)") }
        case .reachable:
            let isOnLink = flow.source.isLinkLocal || flow.destination.isLinkLocal
            if isFrom, isOver, !isOnLink { #expect(isAdmitted, "seed \(seed): \(flow)") }
        case .onlyFrom:
            guard source == nil || source?.tenant != destination?.tenant else { return }
            if !isFrom || !isOver { #expect(!isAdmitted, "seed \(seed): \(assertion), \(flow)") }
        }
    }
}

extension Topology {
    /// Whose the address is, as the summary has it: a tenant, the host, the world.
    fileprivate func party(with address: IPAddress) -> String? {
        if let endpoint = endpoint(with: address) { return endpoint.tenant }
        return host.contains(address) ? "host" : isWorld(address) ? "world" : nil
    }
}

extension [Peer] {
    /// Whether one of the peers means whoever has the address.
    fileprivate func mean(
        _ address: IPAddress, _ policies: PolicySet, _ topology: Topology
    ) -> Bool {
        contains { peer in
            switch peer {
            case .endpoints(of: let selector, let labels):
                guard let endpoint = topology.endpoint(with: address),
                    let tenant = policies.tenants[endpoint.tenant]
                else { return false }
                return selector.matches(tenant) && labels?.matches(endpoint.labels) ?? true
            case .network(let prefix, let except):
                return prefix.contains(address) && !except.contains { $0.contains(address) }
            case .world: return topology.isWorld(address)
            case .host: return topology.host.contains(address)
            }
        }
    }
}

extension SeededGenerator {
    fileprivate mutating func assertion(
        _ claim: Assertion.Claim, isTransitive: Bool
    ) -> Assertion {
        let (tenants, others) = (list(1...2) { $0.tenants() }, list(1...2) { $0.peer() })
        let isTurned = once(in: 2)
        let services = claim == .reachable || once(in: 2) ? list(1...2) { $0.service() } : []
        return Assertion(
            name: "a", claim: claim, from: isTurned ? others : tenants,
            to: isTurned ? tenants : others, services: services, isTransitive: isTransitive,
            place: SourcePlace(file: "a.yaml", line: 1, column: 1))
    }

    private mutating func tenants() -> Peer {
        let labels = LabelSelector(matchLabels: ["app": pick(["web", "api"])])
        let tenant = TenantSelector.name(pick(["ant", "bee", "cat", "dog"]))
        return .endpoints(
            of: once(in: 4) ? .labels(LabelSelector(matchLabels: ["env": "prod"])) : tenant,
            once(in: 3) ? labels : nil)
    }

    private mutating func peer() -> Peer {
        switch number(0...4) {
        case 0: return .world
        case 1: return .host
        case 2:
            let outer = prefix()
            let except = list(0...2) { $0.prefix(inside: outer) }.filter { $0 != outer }
            return .network(outer, except: except)
        default: return tenants()
        }
    }

    private mutating func service() -> Service {
        switch number(0...4) {
        case 0: return .any
        case 1: return .messages(.icmp, [ICMPMessage(type: 8)])
        case 2: return .ports(.udp, IntervalSet(), names: once(in: 2) ? [] : ["dns"])
        default:
            let first = UInt16(number(0...500))
            return .ports(.tcp, IntervalSet(first...first + UInt16(number(0...500))), names: [])
        }
    }

    /// A flow between addresses that rules tell apart.
    fileprivate mutating func flow(in topology: Topology) -> Flow {
        let (source, destination) = (address(), address())
        let number = pick([IPProtocol.tcp, .tcp, .udp, .icmp, .icmpv6, IPProtocol(rawValue: 47)])
        let port: UInt16 =
            switch number {
            case .tcp, .udp: UInt16(self.number(0...1200))
            case .icmp, .icmpv6: pick([8 << 8, 128 << 8, 13 << 8 | 1])
            default: 0
            }
        return Flow(
            source: source, destination: destination, ipProtocol: number, destinationPort: port)
    }

    private mutating func address() -> IPAddress {
        switch number(0...5) {
        case 0: anywhere()
        case 1: address(inside: prefix())
        default: pick(SmallWorld().addresses)
        }
    }
}
