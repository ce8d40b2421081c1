import NetTypes

@testable import Policy

/// Makes small policy sets and topologies for tests.
enum Fixture {
    static func place(_ line: Int) -> SourcePlace {
        SourcePlace(file: "policies/test.yaml", line: line, column: 5)
    }

    static func tenant(
        _ name: String, labels: Labels = [:], pinned: [Prefix]? = nil, ports: [NamedPort] = []
    ) -> Tenant {
        Tenant(
            name: name, labels: labels, claims: [], pinned: pinned, ports: ports, place: place(1))
    }

    static func rule(
        _ policy: String, from: [Peer], to: [Peer], _ service: Service = .any, line: Int = 5
    ) -> Rule {
        var digest = Digest()
        digest.combine(policy)
        digest.combine(line)
        return Rule(
            id: RuleID(rawValue: digest.value),
            policy: PolicyHeader(name: policy, owner: "team-\(policy)", ticket: "SEC-1"),
            from: from, to: to, service: service, place: place(line))
    }

    static func policies(_ tenants: [Tenant], _ rules: [Rule]) -> PolicySet {
        let documents = Dictionary(grouping: rules, by: \.policy).map { header, rules in
            PolicyDocument.policy(header, rules: rules, place: place(3))
        }
        let file = PolicyFile(path: "policies/test.yaml", documents: documents, references: [])
        let owners = tenants.map { PolicyDocument.tenant($0, rules: []) }
        let tenantFile = PolicyFile(
            path: "policies/tenants.yaml", documents: owners, references: [])
        do {
            return try PolicySet(checking: [file, tenantFile])
        } catch {
            preconditionFailure("the fixture's policies are right: \(error)")
        }
    }

    static func endpoint(
        _ name: String, of tenant: String, labels: Labels = [:], _ addresses: String...
    ) -> Endpoint {
        var digest = Digest()
        digest.combine(name)
        return Endpoint(
            id: NamespaceID(device: 4, inode: digest.value), name: name, tenant: tenant,
            labels: labels, addresses: addresses.compactMap { IPAddress($0) })
    }

    static func topology(
        _ endpoints: [Endpoint], host: [String] = ["192.0.2.1"], conflicted: [String] = [],
        strays: [String] = []
    ) -> Topology {
        let hostAddresses = host.compactMap { IPAddress($0) }
        let disputed = conflicted.compactMap { IPAddress($0) }
        return Topology(
            endpoints: endpoints, host: AddressSet(hostAddresses),
            local: AddressSet(
                endpoints.flatMap(\.addresses) + hostAddresses + disputed
                    + strays.compactMap { IPAddress($0) }),
            conflicts: disputed.map { .sharedAddress($0, by: ["a", "b"]) }, unknown: [])
    }
}

extension Peer {
    static func named(_ tenant: String, _ labels: Labels? = nil) -> Peer {
        .endpoints(of: .name(tenant), labels.map { LabelSelector(matchLabels: $0) })
    }

    static func labelled(_ labels: Labels) -> Peer {
        .endpoints(of: .labels(LabelSelector(matchLabels: labels)), nil)
    }

    static func network(_ text: String, except: String...) throws -> Peer {
        .network(try Prefix(parsing: text), except: try except.map { try Prefix(parsing: $0) })
    }
}

extension Service {
    static func tcp(_ ports: ClosedRange<UInt16>..., names: [String] = []) -> Service {
        .ports(.tcp, IntervalSet(ports), names: names)
    }
}

extension Flow {
    static func tcp(_ source: String, _ destination: String, _ port: UInt16) throws -> Flow {
        try flow(source, destination, .tcp, port)
    }

    static func flow(
        _ source: String, _ destination: String, _ ipProtocol: IPProtocol, _ port: UInt16 = 0
    ) throws -> Flow {
        guard let from = IPAddress(source), let to = IPAddress(destination) else {
            throw NotAnAddress(texts: [source, destination])
        }
        return Flow(source: from, destination: to, ipProtocol: ipProtocol, destinationPort: port)
    }

    struct NotAnAddress: Error { let texts: [String] }
}
