import Compiler
import NetTypes
import Policy
import Rules
import Testing

/// A map that would overflow costs an endpoint what is too large, and nothing that fitted before.
@Suite(.serialized) struct OverflowTests {
    private func tenant(_ name: String) -> String {
        "apiVersion: ringfence/v1\nkind: Tenant\nname: \(name)\ninternal: deny\n"
    }

    private func policy(_ name: String, from: String, to: String, _ ports: String) -> String {
        """
        apiVersion: ringfence/v1
        kind: Policy
        name: \(name)
        from: [\(from)]
        to: [\(to)]
        allow: [{protocol: tcp, ports: [\(ports)]}]

        """
    }

    private func set(_ files: [String: [String]]) throws -> PolicySet {
        try PolicySet(
            checking: files.map {
                try PolicyFile(parsing: $1.joined(separator: "---\n"), path: $0)
            })
    }

    private func endpoint(
        _ inode: UInt64, _ tenant: String, _ addresses: [IPAddress]
    ) -> Endpoint {
        Endpoint(
            id: NamespaceID(device: 4, inode: inode), name: "\(tenant)-\(inode)", tenant: tenant,
            labels: [:], addresses: addresses)
    }

    private func topology(_ endpoints: [Endpoint]) -> Topology {
        Topology(
            endpoints: endpoints, host: AddressSet(),
            local: AddressSet(endpoints.flatMap(\.addresses)), conflicts: [], unknown: [])
    }

    /// Every second address, so that no two are joined.
    private func scattered(_ count: Int, from first: UInt32 = 0x0b00_0000) -> [IPAddress] {
        (0..<count).map { IPAddress.v4(first + 2 * UInt32($0)) }
    }

    /// A small one stands for that of the kernel's maps.
    private let limit = 3_000

    private func compile(
        _ policies: PolicySet, _ topology: Topology, after earlier: Compilation? = nil
    ) -> Compilation {
        Compilation(of: policies, for: topology, after: earlier, limit: limit)
    }

    private let few = NamespaceID(device: 4, inode: 1)
    private let own = IPAddress.v4(0x0a00_0001)

    /// Ports that don't touch.
    private func ports(_ count: Int) -> String {
        (0..<count).map { "\(2 * $0 + 1)" }.joined(separator: ", ")
    }

    /// Networks of one address that don't touch.
    private func networks(_ count: Int, from first: UInt32 = 0xac10_0000) -> String {
        (0..<count).map { "{cidr: \(IPAddress.v4(first + 2 * UInt32($0)))}" }
            .joined(separator: ", ")
    }

    @Test func `the greatest map is compiled`() throws {
        let policies = try set([
            "a.yaml": [
                tenant("few"), tenant("many"),
                policy("p", from: "{tenant: few}", to: "{tenant: many}", "1"),
            ]
        ])
        let many = scattered(limit)
        let first = compile(
            policies, topology([endpoint(1, "few", [own]), endpoint(2, "many", many)]))
        #expect(first.errors.isEmpty)
        #expect(first.states[few]?.peers4.count == limit)

        // One address more: it is closed, and everything else stays.
        let newcomer = endpoint(3, "many", [.v4(0x0c00_0000)])
        let grown = topology([endpoint(1, "few", [own]), endpoint(2, "many", many), newcomer])
        let second = compile(policies, grown, after: first)
        let error = try #require(second.errors[few])
        #expect(error.map == "peers4" && error.count == limit + 1)
        #expect(error.omittedEndpoints == ["many-3"] && error.omittedFiles == [])
        #expect(second.states[few] == first.states[few])
        #expect("\(error)".contains("fix: ") && !"\(error)".contains("\n"))
        // As soon as it fits again all is open.
        let shrunk = topology([
            endpoint(1, "few", [own]), endpoint(2, "many", Array(many.dropLast())), newcomer,
        ])
        let fourth = compile(policies, shrunk, after: second)
        #expect(fourth.errors.isEmpty)
        #expect(fourth.states == compile(policies, shrunk).states)
    }

    @Test func `an address that changed hands is not kept for the sake of what fitted`() throws {
        let policies = try set([
            "a.yaml": [
                tenant("few"), tenant("many"), tenant("other"),
                policy("p", from: "{tenant: few}", to: "{tenant: many}", "1"),
            ]
        ])
        let many = scattered(limit)
        let first = compile(
            policies, topology([endpoint(1, "few", [own]), endpoint(2, "many", many)]))
        // One address goes to another tenant, and two come.
        let next = topology([
            endpoint(1, "few", [own]), endpoint(2, "many", Array(many.dropFirst())),
            endpoint(3, "many", [.v4(0x0c00_0000), .v4(0x0c00_0002)]),
            endpoint(4, "other", [many[0]]),
        ])
        let second = compile(policies, next, after: first)
        #expect(second.errors[few]?.omittedEndpoints == ["many-3"])
        let peers = try #require(second.states[few]?.peers4)
        #expect(peers.count == limit - 1)
        #expect(!peers.contains { many[0] == .v4($0.addresses.lowerBound) })
    }

    @Test func `a start leaves the largest file out, and no other`() throws {
        let policies = try set([
            "tenants.yaml": [tenant("few"), tenant("many")],
            "small.yaml": [policy("small", from: "{tenant: few}", to: "{tenant: many}", "7")],
            "large.yaml": (0..<10).map {
                policy(
                    "l\($0)", from: networks(1, from: 0xac10_0000 + UInt32($0) * 4),
                    to: "{tenant: few}", ports(310))
            },
            "list.yaml": [
                policy("list", from: networks(900, from: 0xac20_0000), to: "{tenant: few}", "9")
            ],
        ])
        let two = topology([endpoint(1, "few", [own]), endpoint(2, "many", scattered(1))])
        let compilation = compile(policies, two)
        let error = try #require(compilation.errors[few])
        #expect(error.omittedFiles == ["large.yaml"] && error.map == "admit_in")
        let rest = compile(try policies.replacing(["large.yaml": nil]), two)
        #expect(compilation.states == rest.states && rest.errors.isEmpty)
        #expect(compilation.errors.count == 1)
    }

    @Test func `a change that is too large is refused and blamed`() throws {
        let large = (0..<10).map {
            policy(
                "l\($0)", from: networks(1, from: 0xac10_0000 + UInt32($0) * 4),
                to: "{tenant: few}", ports(310))
        }
        let before = try set([
            "tenants.yaml": [tenant("few"), tenant("many")],
            "small.yaml": [policy("small", from: "{tenant: few}", to: "{tenant: many}", "7")],
        ])
        let two = topology([endpoint(1, "few", [own]), endpoint(2, "many", scattered(1))])
        let compilation = compile(before, two)
        let file = try PolicyFile(parsing: large.joined(separator: "---\n"), path: "large.yaml")
        let small = try PolicyFile(
            parsing: policy("small", from: "{tenant: few}", to: "{tenant: many}", "8"),
            path: "small.yaml")
        let next = try before.replacing(["large.yaml": file, "small.yaml": small])
        let refusals = compilation.trial(of: next, changed: ["large.yaml", "small.yaml"])
            .refusals
        #expect(refusals.keys.sorted() == ["large.yaml"])
        let first = try #require(refusals["large.yaml"]?.first)
        #expect(first.place.file == "large.yaml" && first.place.line > 1)
        #expect(first.message.contains("'admit_in' would hold 3100 elements"), "\(first)")
        let right = try before.replacing(["small.yaml": small])
        let trial = compilation.trial(of: right, changed: ["small.yaml"])
        #expect(trial.refusals.isEmpty && trial.touched.count == 2)
        #expect(trial.compilation.states == compile(right, two).states)
        #expect(next.oversized(limit: limit).map(\.place.file) == ["large.yaml"])
        #expect(right.oversized(limit: limit).isEmpty)
    }
}
