import Evidence
import NetTypes
import Policy
import Reports
import Verifier

/// An audit with everything in it, and with names that try to break out of every form.
enum Samples {
    static let hostile = "</script>\"'&<b>]]>\u{202e}\u{7}\u{0}=1+1,\n\r\t%\u{1f}é"

    static let place = SourcePlace(file: "policies/a b\(hostile).yaml", line: 7, column: 5)

    static let rule = RuleReference(
        id: RuleID(rawValue: 42), policy: hostile, owner: hostile, ticket: hostile, place: place)

    /// Files whose tenants are `shop`, `db` and `dev`.
    static func policies() throws -> PolicySet {
        try PolicySet(checking: [PolicyFile(parsing: text, path: "all.yaml")])
    }

    static let text = """
        apiVersion: ringfence/v1
        kind: Tenant
        name: shop
        endpoints: [{namespace: shop-1}]
        ---
        apiVersion: ringfence/v1
        kind: Tenant
        name: db
        labels: {pci: "true"}
        endpoints: [{namespace: db-1}]
        ports: {pg: 5432}
        ---
        apiVersion: ringfence/v1
        kind: Tenant
        name: dev
        endpoints: [{namespace: dev-1}]
        ---
        apiVersion: ringfence/v1
        kind: Policy
        name: shop-to-db
        owner: team-shop
        from: [{tenant: shop}]
        to: [{tenant: db}]
        allow: [{protocol: tcp, ports: [pg]}]
        ---
        apiVersion: ringfence/v1
        kind: Policy
        name: dev-to-shop
        from: [{tenant: dev}]
        to: [{tenant: shop}]
        allow: [{protocol: tcp, ports: [22, 80]}]
        ---
        apiVersion: ringfence/v1
        kind: Assertion
        name: direct
        controls: [pci-dss-4/1.3.1]
        noPath: {from: [{tenant: dev}], to: [{tenants: {matchLabels: {pci: "true"}}}]}
        ---
        apiVersion: ringfence/v1
        kind: Assertion
        name: through
        owner: team-compliance
        noPath: {from: [{tenant: dev}], to: [{tenant: db}], transitive: true}
        ---
        apiVersion: ringfence/v1
        kind: Assertion
        name: only
        onlyFrom:
          from: [{tenant: shop}]
          to: [{tenant: db}]
          over: [{protocol: tcp, ports: [pg]}]

        """

    static func topology(_ policies: PolicySet) -> Topology {
        let names = ["shop-1", "db-1", "dev-1"]
        let observed = names.enumerated().map { number, name in
            namespace(UInt64(number + 1), name, "10.0.0.\(number + 1)")
        }
        return policies.topology(
            observed: observed + [namespace(99, "host", "10.0.0.254")],
            host: NamespaceID(device: 0, inode: 99))
    }

    private static func namespace(
        _ inode: UInt64, _ name: String, _ address: String
    ) -> ObservedNamespace {
        ObservedNamespace(
            id: NamespaceID(device: 0, inode: inode), paths: ["/run/netns/\(name)"], pids: [],
            interfaces: [
                ObservedInterface(
                    index: 2, name: "eth0", kind: "veth", hardwareAddress: [2, 0, 0, 0, 0, 1],
                    isUp: true, peerIndex: nil, controllerIndex: nil,
                    addresses: [address].compactMap { IPAddress($0) })
            ])
    }

    /// A kernel in which every endpoint is proven, but those that are named.
    static func kernel(
        _ topology: Topology, broken: String? = nil, unknown: String? = nil
    ) -> AuditResult {
        AuditResult(
            started: 1_790_000_000_000, times: AuditTimes(reading: 0.5, proving: 1.25),
            endpoints: topology.endpoints.map { endpoint in
                EndpointAudit(
                    namespace: endpoint.id, name: endpoint.name, tenant: endpoint.tenant,
                    addresses: endpoint.addresses,
                    tables: [
                        TableAudit(
                            family: "inet", name: hostile, isOwn: false, chains: 3, rules: 12,
                            elements: 40)
                    ],
                    paths: [PathAudit(path: .newIngress, classes: 10, packets: 20)],
                    findings: endpoint.name == broken ? [finding] : [],
                    unproven: endpoint.name == unknown ? [unproven] : [])
            })
    }

    private static let kernelPlace = KernelPlace(
        family: "inet", table: hostile, chain: hostile, handle: 4, comment: hostile)

    private static let unproven = Unproven(
        place: kernelPlace, reason: "expression xt in \(hostile)", fix: "take it away")

    private static let finding = Finding(
        kind: .opens, path: .newIngress,
        packet: CounterexamplePacket(
            direction: .incoming, source: .v4(1), destination: .v4(2), ipProtocol: .tcp,
            sourcePort: 40_000, destinationPort: 22, interface: hostile, details: [hostile]),
        peer: PartyNamed(tenant: hostile, endpoint: hostile),
        policy: PolicySide(passes: false, rule: rule, reason: hostile),
        kernel: KernelSide(passes: true, places: [kernelPlace], reason: hostile))

    /// A report of an audit that went well, or of one in which all is wrong.
    static func report(isHostile: Bool) throws -> AuditReport {
        let policies = try policies()
        let topology = topology(policies)
        let reachability = Reachability(policies, in: topology)
        let kernel = kernel(
            topology, broken: isHostile ? "db-1" : nil, unknown: isHostile ? "shop-1" : nil)
        let name = isHostile ? hostile : "machine-1"
        let facts = policies.files.values.flatMap(\.rules).map {
            RuleFacts($0, admitted: isHostile ? Tally() : Tally(packets: 1, bytes: 2, flows: 1))
        }
        return AuditReport(
            machine: Machine(host: name, kernel: "Linux 6.18", version: "0.1.0"),
            started: Timestamp(milliseconds: 1_790_000_000_000),
            finished: Timestamp(milliseconds: 1_790_000_002_500),
            policies: PoliciesInForce(
                source: name, files: [PolicyDigest(file: name, sha256: sha256([1, 2, 3]))],
                tenants: 3, rules: 5, generation: 7,
                applied: Timestamp(milliseconds: 1_789_000_000_000)),
            matrix: ReachMatrix(reachability, kernel: kernel),
            assertions: policies.assertions.filter { isHostile || $0.name != "through" }.map {
                AssertionResult(reachability.answer($0), kernel: kernel)
            },
            kernel: kernel, probes: isHostile ? probes : nil,
            violations: isHostile ? violations : nil, rules: facts,
            drift: isHostile ? [drift] : [], controls: .standard, record: .first)
    }

    private static let probes = ProbeResult(
        seed: 7, rate: 50,
        cells: [
            ProbeCell(
                source: PartyNamed(tenant: hostile, endpoint: hostile),
                destination: PartyNamed(tenant: "db", endpoint: "db-1"), from: .v4(1), to: .v4(2),
                ipProtocol: .tcp, port: 22, isAllowed: false, egress: rule, ingress: nil,
                answer: .answered, atSource: .nothing, atDestination: .admitted, remark: hostile)
        ], left: 3)

    private static let violations = ViolationPeriod(
        since: Timestamp(milliseconds: 1_789_000_000_000),
        until: Timestamp(milliseconds: 1_790_000_000_000),
        violations: [
            Violation(
                first: Timestamp(milliseconds: 1_789_000_000_000),
                last: Timestamp(milliseconds: 1_789_000_001_000),
                source: ViolationEnd(address: .v4(1), tenant: hostile, endpoint: hostile),
                destination: ViolationEnd(address: .v4(2)), ipProtocol: .tcp,
                ports: .init(source: 1, destination: 2), direction: .egress, reason: .noRule,
                packets: 3, bytes: 120,
                closest: Explanation(rule: rule, lack: hostile, fix: hostile), generation: 3)
        ], count: 1)

    private static let drift = DriftRecord(
        found: Timestamp(milliseconds: 1_789_500_000_000), endpoint: hostile, change: hostile,
        process: hostile, pid: 12, isRepaired: true)
}
